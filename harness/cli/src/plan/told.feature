Feature: What a plan says

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  Scenario: All kinds of claims
    Given calls to "reviews" are retried up to 2 times on "5xx"
    And an instance of "reviews" is ejected for 2 s after 5 failures in a row
    When instance 2 of "reviews" answers with status 500 from 1 s to 2 s
    And "web" makes 300 calls per second to "reviews" for 6 seconds
    Then every failed call is tried more than 2 times
    And at least 90% of the calls succeed before the fault
    And at most 30 calls fail
    And "reviews" receives at most 1.3 tries for each call
    And instance 2 of "reviews" is ejected within 1 s of its 5th failure
    And instance 2 of "reviews" is ejected for at least 1 s
    And calls to "reviews" recover within 1 s of the end of the fault

  Scenario: One call
    When "web" makes 1 calls per second to "reviews" for 400 ms
    Then every call succeeds

  Scenario: One after another, at random, and as many as it takes
    Given calls to "reviews" time out after 300 ms
    And the run is aborted once more than 95% of the calls fail
    When instance 2 of "reviews" answers in 1 s
    And "web" makes 20 calls to "reviews"
    And "web" makes 100 calls per second to "reviews" at random moments for 2 s
    And "web" makes enough calls to "reviews" to decide
    Then at least 50% of the calls succeed

  Scenario: What cannot be run
    Given calls to "reviews" are mirrored to "reviews"
    When "web" makes 20 calls to "reviews"
    Then every call succeeds
