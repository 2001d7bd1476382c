"""Evidence for and against the predictions: every model under every scheme of folds."""
