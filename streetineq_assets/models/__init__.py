"""Ordinal networks on image codes: folds, network, training, baselines, bundles."""
