"""Training: options, skip-gram and CBOW from an encoded corpus, single runs and ensembles."""

from wordgeo.training.config import TrainingConfig, defaults_table, load_toml
from wordgeo.training.runs import train
from wordgeo.training.word2vec import train_embeddings

__all__ = ["TrainingConfig", "defaults_table", "load_toml", "train", "train_embeddings"]
