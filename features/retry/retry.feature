Feature: Retry
  A retry policy hides what a single instance gets wrong, asks only for what it was told to, and never asks more often than it says.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # 0.3 x 0.3 x 0.3 = 2.7% of the calls fail; with one retry 9% would. Control: no retries, 30% fail.
  # The last line tells two retries from one: whoever fails has been tried three times.
  @smoke
  Scenario: Retries hide a flaky replica
    Given calls from "web" to "reviews" are retried up to 2 times on "5xx"
    When 30% of the tries reaching "reviews" are aborted with status 503
    And "web" makes 300 calls per second to "reviews" for 2 seconds
    Then at least 85% of the calls succeed
    And at least 15% of the calls are retried
    And no call is tried more than 3 times
    And every failed call is tried more than 2 times

  # Envoy retries any method: that a POST is left alone is the policy's doing. Control: the same policy for all methods.
  Scenario: A POST is not repeated
    Given calls to "reviews" with method "GET" are retried up to 2 times on "5xx"
    And in the control run calls to "reviews" are retried up to 2 times on "5xx"
    When every instance of "reviews" answers with status 503
    And "web" makes 50 calls to "reviews" with method "POST"
    Then no call is tried more than 1 time

  # An answer is no connection failure. Control: the same retries, on every 5xx.
  Scenario: Only what the policy names is retried
    Given calls to "reviews" are retried up to 2 times on "connect-failure"
    And in the control run calls to "reviews" are retried up to 2 times on "5xx"
    When every instance of "reviews" answers with status 503
    And "web" makes 50 calls to "reviews"
    Then no call is tried more than 1 time

  # Under round robin the next instance comes anyway; hence "random". Control: retries that may come back to the same instance, 1/9 fail.
  Scenario: A retry goes to another instance
    Given calls to "reviews" are retried up to 1 time on "5xx", each on another instance
    And in the control run calls to "reviews" are retried up to 1 time on "5xx"
    And calls to "reviews" are balanced by "random"
    When instance 2 of "reviews" answers with status 503
    And "web" makes 300 calls per second to "reviews" for 3 seconds
    Then at least 97% of the calls succeed
    And no call is tried twice on one instance
