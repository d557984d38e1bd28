Feature: Passive and active health checking

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # control (policies): 1/3 fails for 4 s -> line 1, 2, 3 violated. Sound. "its 5th failure" exists without the policy too.
  # Neutral panic threshold is 0; with Envoy's 50% nothing changes here (2 of 3 healthy), below it would.
  Scenario: An instance that fails is ejected and comes back
    Given an instance of "reviews" is ejected for 2 s after 5 failures in a row
    When instance 2 of "reviews" answers with status 500 from 1 s to 2 s
    And "web" makes 300 calls per second to "reviews" for 8 seconds
    Then instance 2 of "reviews" is ejected within 1 s of its 5th failure
    And instance 2 of "reviews" gets traffic again within 4 s of the end of the fault
    And instance 2 of "reviews" is ejected for between 1900 ms and 3 s
    And at most 10 calls fail

  # control, all together: no checks either, 2/3 refused -> 1/3 succeeds: line 1 HOLDS, line 2 holds -> not violated; so each alone: without the panic line the one
  # healthy instance gets all -> line 1 violated. Needs the leave-one-out rule. (Istio sets panic to 0 beside outlier detection: other default, same neutral.)
  Scenario: Panic: too few healthy, so everyone is asked
    Given each instance of "reviews" is checked every 200 ms by http on path "/healthz", out after 1 failure, back after 1 pass
    And "reviews" is called on every instance when fewer than 50% are healthy
    When the process of instance 1 of "reviews" is killed
    And the process of instance 2 of "reviews" is killed
    And "web" makes 400 calls per second to "reviews" for 5 seconds
    Then between 25% and 42% of the calls succeed
    And instance 1 of "reviews" receives at least 250 tries

  # control (policies): no check -> 1/3 of the calls hang or fail -> violated.
  Scenario: An active check finds a dead instance without a failed call to teach it
    Given each instance of "reviews" is checked every 100 ms by tcp, out after 2 failures, back after 2 passes
    When instance 3 of "reviews" is killed at 1 s
    And "web" makes 100 calls per second to "reviews" for 5 seconds
    Then every call from "web" to "reviews" succeeds from 2 s to 5 s
    And instance 3 of "reviews" is unhealthy within 500 ms of the fault
