"""Reads OpenMetrics from standard input with the parser of Prometheus' own Python library; writes the samples as JSON."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.read())
json.dump([[sample.name, sample.labels, sample.value] for family in families for sample in family.samples], sys.stdout)
