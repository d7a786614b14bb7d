"""Who reads: threads, processes, a dask cluster, or the thread that asks."""
