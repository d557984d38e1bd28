Feature: Bulkhead
  A slow dependency exhausts its own share of a caller and nothing else of it.

  # The caller must be able to run out of something: "web" handles 40 calls at a time, and traffic comes in front of it.
  Background:
    Given a service "phone" that calls "web"
    And a service "web" that calls "reviews" and "ratings"
    And each instance of "web" handles at most 40 calls at a time
    And a service "reviews" that answers in 5 ms
    And a service "ratings" that answers in 5 ms

  # Control: 100 a second for 1 s each would be 100 in "web", more than it has: calls about ratings stand in line, too.
  Scenario: A slow dependency exhausts its own pool only
    Given each instance of "web" has at most 10 tries to "reviews" in flight
    When every instance of "reviews" answers in 1 s from 1 s to 3 s
    And "phone" makes 100 calls per second to "web" on path "/reviews" for 4 seconds
    And meanwhile "phone" makes 100 calls per second to "web" on path "/ratings" for 4 seconds
    Then at least 95% of the calls from "phone" to "web" on path "/ratings" succeed within 100 ms during the fault
    And at least 70% of the calls from "web" to "reviews" are shed by the circuit breaker during the fault

  # Control: as above.
  Scenario: A time limit is a bulkhead, too
    Given calls from "web" to "reviews" time out after 100 ms
    When every instance of "reviews" answers in 1 s from 1 s to 3 s
    And "phone" makes 100 calls per second to "web" on path "/reviews" for 4 seconds
    And meanwhile "phone" makes 100 calls per second to "web" on path "/ratings" for 4 seconds
    Then at least 95% of the calls from "phone" to "web" on path "/ratings" succeed within 100 ms during the fault
