#ifndef CRIOD_NETD_LAUNCH_LEASE_H
#define CRIOD_NETD_LAUNCH_LEASE_H

/*
 * Addresses that host-local, the usual IPAM plugin, has given out: in
 * DIRECTORY/NETWORK a file each, named like the address, with the pod's id in
 * it.  It does not sync them, so that the node's end may leave one empty.
 * Nobody's DEL would ever release that.
 */

#define LAUNCH_LEASE_DIR "/var/lib/cni/networks"

/*
 * Removes the empty ones, under the plugin's own lock, which it holds from
 * making a file to filling it.  A network whose lock is taken is left alone.
 */
void launch_lease_sweep(const char *directory);

#endif
