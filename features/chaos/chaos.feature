Feature: Chaos
  A fault hits what it was aimed at: calls before the caller's retries, tries after them, one instance and no other.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 2 instances that answer in 5 ms

  # An abort at the caller's own proxy comes before its retries. Control: the same share of the tries, which are retried.
  Scenario: An aborted call is not retried
    Given calls to "reviews" are retried up to 2 times on "5xx"
    When 30% of the calls to "reviews" are aborted with status 503
    And in the control run 30% of the tries reaching "reviews" are aborted with status 503
    And "web" makes 300 calls per second to "reviews" for 2 seconds
    Then at least 15% of the calls fail
    And no call is retried

  # Control: no delay. The proxy's timer is coarse: a delay may be short by some milliseconds.
  Scenario: Some calls are delayed, and none is lost
    When 30% of the calls to "reviews" are delayed by 100 ms
    And "web" makes 300 calls per second to "reviews" for 2 seconds
    Then between 15% and 45% of the calls take at least 90 ms
    And every call succeeds

  # Control: no fault, nobody fails. Half of the tries of one of two instances are a quarter of all.
  Scenario: A fault at one instance stays there
    When 50% of the tries reaching instance 2 of "reviews" are aborted with status 503
    And "web" makes 300 calls per second to "reviews" for 2 seconds
    Then between 12% and 40% of the calls fail
    And every failed call reaches instance 2 of "reviews"
    And every failed call is answered with status 503

  # Control: no fault, no call is slow. Before and after the fault nobody is slow in the main run either.
  Scenario: A delay comes, and goes
    When tries reaching "reviews" are delayed by 400 ms from 500 ms to 1500 ms
    And "web" makes 200 calls per second to "reviews" for 2500 ms
    Then every call takes at least 390 ms during the fault
    And at least 80% of the calls finish within 300 ms before the fault
    And at least 80% of the calls finish within 300 ms after the fault
    And every call succeeds
