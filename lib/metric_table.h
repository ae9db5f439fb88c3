/*
 * The metrics of pods and containers, under cAdvisor's names.  Included with
 * METRIC defined; no guard.
 *
 *	METRIC(ID, group, kind, name, labels, help)
 *
 * group   METRIC_IN_*: what "pod metrics" of criod.conf chooses.
 * kind    COUNTER or GAUGE, as runtime.v1.MetricType.
 * labels  names of labels beyond those that all have, blanks between them.
 */

METRIC(LAST_SEEN, METRIC_IN_ALL, GAUGE, "container_last_seen", "", "When the container was last seen, in seconds since 1970.")

METRIC(CPU_USER, METRIC_IN_CPU, COUNTER, "container_cpu_user_seconds_total", "", "CPU time spent in user mode, in seconds.")
METRIC(CPU_SYSTEM, METRIC_IN_CPU, COUNTER, "container_cpu_system_seconds_total", "", "CPU time spent in the kernel, in seconds.")
METRIC(CPU_USAGE, METRIC_IN_CPU, COUNTER, "container_cpu_usage_seconds_total", "cpu", "CPU time spent, in seconds.")
METRIC(CFS_PERIODS, METRIC_IN_CPU, COUNTER, "container_cpu_cfs_periods_total", "", "Periods in which the CPU limit was in force.")
METRIC(CFS_THROTTLED_PERIODS, METRIC_IN_CPU, COUNTER, "container_cpu_cfs_throttled_periods_total", "", "Periods in which the container had to wait for its CPU limit.")
METRIC(CFS_THROTTLED, METRIC_IN_CPU, COUNTER, "container_cpu_cfs_throttled_seconds_total", "", "How long it waited for its CPU limit, in seconds.")

METRIC(FS_INODES_FREE, METRIC_IN_DISK, GAUGE, "container_fs_inodes_free", "", "Free inodes of the writable layer's file system.")
METRIC(FS_INODES, METRIC_IN_DISK, GAUGE, "container_fs_inodes_total", "", "Inodes of the writable layer's file system.")
METRIC(FS_LIMIT, METRIC_IN_DISK, GAUGE, "container_fs_limit_bytes", "", "Size of the writable layer's file system, in bytes.")
METRIC(FS_USAGE, METRIC_IN_DISK, GAUGE, "container_fs_usage_bytes", "", "What the writable layer takes, in bytes.")

METRIC(FS_READ_BYTES, METRIC_IN_DISKIO, COUNTER, "container_fs_reads_bytes_total", "device", "Bytes read from block devices.")
METRIC(FS_READS, METRIC_IN_DISKIO, COUNTER, "container_fs_reads_total", "device", "Reads from block devices.")
METRIC(FS_WRITE_BYTES, METRIC_IN_DISKIO, COUNTER, "container_fs_writes_bytes_total", "device", "Bytes written to block devices.")
METRIC(FS_WRITES, METRIC_IN_DISKIO, COUNTER, "container_fs_writes_total", "device", "Writes to block devices.")
METRIC(BLKIO, METRIC_IN_DISKIO, COUNTER, "container_blkio_device_usage_total", "device major minor operation", "Bytes moved to or from block devices, by operation.")

METRIC(HUGETLB_USAGE, METRIC_IN_HUGETLB, GAUGE, "container_hugetlb_usage_bytes", "pagesize", "Huge pages in use, in bytes.")
METRIC(HUGETLB_MAX, METRIC_IN_HUGETLB, GAUGE, "container_hugetlb_max_usage_bytes", "pagesize", "The most huge pages that were in use, in bytes.")

METRIC(MEMORY_CACHE, METRIC_IN_MEMORY, GAUGE, "container_memory_cache", "", "Page cache, in bytes.")
METRIC(MEMORY_RSS, METRIC_IN_MEMORY, GAUGE, "container_memory_rss", "", "Anonymous memory, in bytes.")
METRIC(MEMORY_KERNEL, METRIC_IN_MEMORY, GAUGE, "container_memory_kernel_usage", "", "Memory that the kernel holds for it, in bytes.")
METRIC(MEMORY_MAPPED, METRIC_IN_MEMORY, GAUGE, "container_memory_mapped_file", "", "Mapped files in memory, in bytes.")
METRIC(MEMORY_SWAP, METRIC_IN_MEMORY, GAUGE, "container_memory_swap", "", "Swap in use, in bytes.")
METRIC(MEMORY_FAILCNT, METRIC_IN_MEMORY, COUNTER, "container_memory_failcnt", "", "How often the memory limit was met.")
METRIC(MEMORY_USAGE, METRIC_IN_MEMORY, GAUGE, "container_memory_usage_bytes", "", "All memory in use, in bytes.")
METRIC(MEMORY_MAX, METRIC_IN_MEMORY, GAUGE, "container_memory_max_usage_bytes", "", "The most memory that was in use, in bytes.")
METRIC(MEMORY_WORKING_SET, METRIC_IN_MEMORY, GAUGE, "container_memory_working_set_bytes", "", "Memory in use but the inactive page cache, in bytes.")
METRIC(MEMORY_FAILURES, METRIC_IN_MEMORY, COUNTER, "container_memory_failures_total", "failure_type scope", "Page faults.")

METRIC(NET_RX_BYTES, METRIC_IN_NETWORK, COUNTER, "container_network_receive_bytes_total", "interface", "Bytes received.")
METRIC(NET_RX_PACKETS, METRIC_IN_NETWORK, COUNTER, "container_network_receive_packets_total", "interface", "Packets received.")
METRIC(NET_RX_DROPPED, METRIC_IN_NETWORK, COUNTER, "container_network_receive_packets_dropped_total", "interface", "Received packets that were dropped.")
METRIC(NET_RX_ERRORS, METRIC_IN_NETWORK, COUNTER, "container_network_receive_errors_total", "interface", "Errors while receiving.")
METRIC(NET_TX_BYTES, METRIC_IN_NETWORK, COUNTER, "container_network_transmit_bytes_total", "interface", "Bytes sent.")
METRIC(NET_TX_PACKETS, METRIC_IN_NETWORK, COUNTER, "container_network_transmit_packets_total", "interface", "Packets sent.")
METRIC(NET_TX_DROPPED, METRIC_IN_NETWORK, COUNTER, "container_network_transmit_packets_dropped_total", "interface", "Packets to send that were dropped.")
METRIC(NET_TX_ERRORS, METRIC_IN_NETWORK, COUNTER, "container_network_transmit_errors_total", "interface", "Errors while sending.")

METRIC(OOM, METRIC_IN_OOM, COUNTER, "container_oom_events_total", "", "Processes killed for want of memory.")

METRIC(FILES, METRIC_IN_PROCESS, GAUGE, "container_file_descriptors", "", "Open file descriptors.")
METRIC(PROCESSES, METRIC_IN_PROCESS, GAUGE, "container_processes", "", "Processes.")
METRIC(SOCKETS, METRIC_IN_PROCESS, GAUGE, "container_sockets", "", "Open sockets.")
METRIC(THREADS, METRIC_IN_PROCESS, GAUGE, "container_threads", "", "Threads.")
METRIC(THREADS_MAX, METRIC_IN_PROCESS, GAUGE, "container_threads_max", "", "The most threads there may be; 0: no limit.")
METRIC(ULIMITS, METRIC_IN_PROCESS, GAUGE, "container_ulimits_soft", "ulimit", "Soft limits of the container's first process.")

METRIC(SPEC_PERIOD, METRIC_IN_SPEC, GAUGE, "container_spec_cpu_period", "", "Period of the CPU limit, in microseconds.")
METRIC(SPEC_SHARES, METRIC_IN_SPEC, GAUGE, "container_spec_cpu_shares", "", "CPU shares.")
METRIC(SPEC_QUOTA, METRIC_IN_SPEC, GAUGE, "container_spec_cpu_quota", "", "CPU time of a period, in microseconds.")
METRIC(SPEC_MEMORY, METRIC_IN_SPEC, GAUGE, "container_spec_memory_limit_bytes", "", "Memory limit, in bytes; 0: none.")
METRIC(SPEC_RESERVATION, METRIC_IN_SPEC, GAUGE, "container_spec_memory_reservation_limit_bytes", "", "Reserved memory, in bytes.")
METRIC(SPEC_SWAP, METRIC_IN_SPEC, GAUGE, "container_spec_memory_swap_limit_bytes", "", "Limit of memory and swap, in bytes; 0: none.")
METRIC(START_TIME, METRIC_IN_SPEC, GAUGE, "container_start_time_seconds", "", "When it started, in seconds since 1970.")

METRIC(PRESSURE_CPU_FULL, METRIC_IN_PRESSURE, COUNTER, "container_pressure_cpu_stalled_seconds_total", "", "How long no task could run for want of CPU, in seconds.")
METRIC(PRESSURE_CPU_SOME, METRIC_IN_PRESSURE, COUNTER, "container_pressure_cpu_waiting_seconds_total", "", "How long some task waited for a CPU, in seconds.")
METRIC(PRESSURE_MEMORY_FULL, METRIC_IN_PRESSURE, COUNTER, "container_pressure_memory_stalled_seconds_total", "", "How long no task could run for want of memory, in seconds.")
METRIC(PRESSURE_MEMORY_SOME, METRIC_IN_PRESSURE, COUNTER, "container_pressure_memory_waiting_seconds_total", "", "How long some task waited for memory, in seconds.")
METRIC(PRESSURE_IO_FULL, METRIC_IN_PRESSURE, COUNTER, "container_pressure_io_stalled_seconds_total", "", "How long no task could run for want of input or output, in seconds.")
METRIC(PRESSURE_IO_SOME, METRIC_IN_PRESSURE, COUNTER, "container_pressure_io_waiting_seconds_total", "", "How long some task waited for input or output, in seconds.")
