"""Encoders: from pictures to codes, by any of several families of networks."""
