"""Pricing of model usage: exact, dated, explained. Imports nothing of costspan."""
