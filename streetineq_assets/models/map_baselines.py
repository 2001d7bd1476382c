MAPS = ("map_knn", "map_gaussian_process", "map_msoa_mean")
