include execd/launch.mk
