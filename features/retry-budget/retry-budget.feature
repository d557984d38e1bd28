Feature: Retry budget
  Retries are for the odd failure. When everything fails they must not bury the callee.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 200 ms

  # A budget of 20% of the tries in flight, retries included, is 1 / (1 - 0.2) = 1.25 tries a call. Control: together there is one
  # try a call and the line holds; without the budget alone there are four.
  Scenario: A failing callee is not buried under retries
    Given calls to "reviews" are retried up to 3 times on "5xx"
    And retries of calls to "reviews" stay within 20% of the tries in flight, and at least 1
    When every instance of "reviews" answers with status 503
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then "reviews" receives at most 1.35 tries for each call

  # Control: without retries nobody is retried, and 7% fail.
  Scenario: In good weather the budget costs nothing
    Given calls to "reviews" are retried up to 3 times on "5xx"
    And retries of calls to "reviews" stay within 20% of the tries in flight, and at least 1
    When 7% of the tries reaching "reviews" are aborted with status 503
    And "web" makes 300 calls per second to "reviews" for 4 seconds
    Then at least 98% of the calls succeed
    And at least 2.5% of the calls are retried
