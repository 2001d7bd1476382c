"""From the networks' out-of-fold scores to areas' deciles, their intervals and their evaluation."""
