"""Every interleaving of the real cores over a modelled store, within small bounds: `python -m tests.explorer`."""
