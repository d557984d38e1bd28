Feature: Circuit breaker
  In Envoy a breaker limits concurrency: what is too much is turned away at once, and nothing waits.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 1 instance that answers in 5 ms

  # 200 a second for 1 s each would be 200 in flight, against 10. Control: no limit, nothing is shed.
  Scenario: A slow callee is protected and the excess is answered at once
    Given each instance of "web" has at most 10 tries to "reviews" in flight
    When every instance of "reviews" answers in 1 s from 500 ms to 2 s
    And "web" makes 200 calls per second to "reviews" for 4 seconds
    Then at least 50% of the calls are shed by the circuit breaker during the fault
    And every shed call finishes within 50 ms
    And calls to "reviews" recover within 1500 ms of the end of the fault

  # Control: together nothing is retried and the line holds; without the limit alone there are 4 tries a call.
  Scenario: Retries have a limit of their own
    Given calls to "reviews" are retried up to 3 times on "5xx"
    And each instance of "web" has at most 3 retries to "reviews" in flight
    When every instance of "reviews" answers with status 503
    And every instance of "reviews" answers in 200 ms
    And "web" makes 100 calls per second to "reviews" for 2 seconds
    Then "reviews" receives at most 1.5 tries for each call
    And no call is shed

  # 100 a second for 500 ms each would be 50 connections, against 5 and as many waiting. Control: no limit, nothing is shed.
  Scenario: Connections have a limit, and so has the line before them
    Given each instance of "web" has at most 5 connections to "reviews" and 5 calls waiting
    When every instance of "reviews" answers in 500 ms from 1 s to 2500 ms
    And "web" makes 100 calls per second to "reviews" for 5500 ms
    Then at least 50% of the calls are shed by the circuit breaker during the fault
    And every shed call finishes within 50 ms
    And calls to "reviews" recover within 1500 ms of the end of the fault
