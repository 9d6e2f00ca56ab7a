"""Repositories of the hub: their ids, their files, and how they are fetched within a stated time."""
