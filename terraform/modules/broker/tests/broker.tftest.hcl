mock_provider "google" {}

variables {
  project        = "some-project"
  region         = "europe-west1"
  name           = "beatlytica"
  subnetwork     = "projects/some-project/regions/europe-west1/subnetworks/beatlytica"
  client_ca_pool = "projects/some-project/locations/europe-west1/caPools/clients"
}

run "four_topics_that_lose_nothing" {
  assert {
    condition     = toset(keys(google_managed_kafka_topic.this)) == toset(["listen_events", "page_view_events", "auth_events", "status_change_events"])
    error_message = "The engine's four topics."
  }
  assert {
    condition     = alltrue([for topic in google_managed_kafka_topic.this : topic.replication_factor == 3 && topic.configs["cleanup.policy"] == "delete" && topic.configs["min.insync.replicas"] == "2"])
    error_message = "Three replicas, two of them in step, never compacted."
  }
  assert {
    condition     = output.acls["topic/listen_events"] == ["engine READ", "engine DESCRIBE_CONFIGS", "producer WRITE", "producer DESCRIBE"]
    error_message = "The engine reads and sees whether the topic is compacted, producers write, neither does more."
  }
  assert {
    condition     = output.acls["consumerGroup/beatlytica"] == ["engine READ"]
    error_message = "The engine commits in its own group alone."
  }
  assert {
    condition     = output.brokers == "bootstrap.beatlytica.europe-west1.managedkafka.some-project.cloud.goog:9192"
    error_message = "The port is that of client certificates."
  }
}

run "too_few_cpus" {
  command = plan
  variables {
    vcpus = 2.5
  }
  expect_failures = [var.vcpus]
}

run "too_much_memory" {
  command = plan
  variables {
    memory_gib = 100
  }
  expect_failures = [var.memory_gib]
}

run "no_partitions" {
  command = plan
  variables {
    partitions = 0
  }
  expect_failures = [var.partitions]
}

run "retention_too_short" {
  command = plan
  variables {
    retention_hours = 1
  }
  expect_failures = [var.retention_hours]
}

run "a_pool_by_its_short_name" {
  command = plan
  variables {
    client_ca_pool = "clients"
  }
  expect_failures = [var.client_ca_pool]
}
