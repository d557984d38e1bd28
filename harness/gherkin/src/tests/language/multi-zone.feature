Feature: Multi-zone failover

  Background:
    Given a service "web" in zone "east" that calls "reviews"
    And a service "reviews" that answers in 5 ms
    And "reviews" has 2 instances in zone "east" and 2 in zone "west"

  # control (policies), together: no preference, no check -> half the calls fail to the end -> violated. Each alone: without checks failover never starts -> violated.
  # A count, not a percentage: one failover is one draw, however many calls.
  # zone "east" must not contain the caller: otherwise nobody is left to measure. Hence "instances in zone east".
  Scenario: A zone dies and the other takes over
    Given calls to "reviews" prefer zone "east", then zone "west"
    And an instance of "reviews" is ejected for 10 s after 3 failures in a row
    When every instance of "reviews" in zone "east" is killed from 2 s to 8 s
    And "web" makes 200 calls per second to "reviews" for 16 seconds
    Then calls to "reviews" recover within 2 s of the fault
    And at most 100 calls fail
    And at least 95% of the calls reach "reviews" in zone "east" before the fault

  # control (policies): half the calls go west before anything is broken -> violated.
  Scenario: Traffic fails back
    Given calls to "reviews" prefer zone "east", then zone "west"
    And each instance of "reviews" is checked every 200 ms by http on path "/healthz", out after 2 failures, back after 2 passes
    When every instance of "reviews" in zone "east" is killed from 2 s to 5 s
    And "web" makes 200 calls per second to "reviews" for 10 seconds
    Then at least 95% of the calls reach "reviews" in zone "west" from 4 s to 5 s
    And at least 95% of the calls reach "reviews" in zone "east" from 8 s
