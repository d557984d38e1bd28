Feature: Bulkhead
  # The caller must be able to run out of something. If the load agent *is* "web", two clusters share nothing and the control holds: VACUOUS.
  # So traffic enters in front of "web", whose capacity is finite.

  Background:
    Given a service "phone" that calls "web"
    And a service "web" that calls "reviews" and "ratings"
    And each instance of "web" handles at most 40 calls at a time
    And a service "reviews" that answers in 5 ms
    And a service "ratings" that answers in 5 ms

  # control (policies): as above. "during the fault" is the planned window, so it can be judged in the control too.
  Scenario: A time limit is a bulkhead too
    Given calls to "reviews" time out after 100 ms
    When every instance of "reviews" answers in 2 s from 2 s to 6 s
    And "phone" makes 100 calls per second to "web" on path "/reviews" for 8 seconds
    And meanwhile "phone" makes 100 calls per second to "web" on path "/ratings" for 8 seconds
    Then at least 95% of the calls from "phone" to "web" on path "/ratings" succeed within 50 ms during the fault
