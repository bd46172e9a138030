"""What survives another run: several models of the same corpus, held side by side."""

from wordgeo.stability.ensemble import Agreement, Ensemble

__all__ = ["Agreement", "Ensemble"]
