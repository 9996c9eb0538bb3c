"""Files of this toolkit: arrays, the JSON beside each, locks and folders."""
