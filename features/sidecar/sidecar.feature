Feature: Sidecar proxies
  One proxy an instance: what happens to a proxy happens to its instance, and to no other.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # Control: no retries, and every third call fails while the proxy is gone.
  Scenario: When a proxy dies the others take over
    Given calls to "reviews" are retried up to 1 time on "connect-failure, reset", each on another instance
    And calls to "reviews" are balanced by "random"
    When the proxy of instance 2 of "reviews" is killed from 500 ms to 1500 ms
    And "web" makes 200 calls per second to "reviews" for 3 seconds
    Then every call succeeds
    And instance 2 of "reviews" serves no tries during the fault
    And instance 2 of "reviews" gets traffic again within 1 s of the end of the fault

  # Whoever calls gets an answer from the proxy in front of the dead process: 503, which is no connection failure. Control: the
  # process lives, and nobody fails.
  Scenario: When the process behind it dies the proxy answers for it
    When the process of instance 2 of "reviews" is killed from 500 ms to 1500 ms
    And "web" makes 200 calls per second to "reviews" for 2500 ms
    Then at least 50 calls fail during the fault
    And every failed call is answered with status 503
    And every failed call reaches instance 2 of "reviews"
    And calls to "reviews" recover within 500 ms of the end of the fault

  # A proxy that stands still accepts (its kernel does), and never answers. Control: no time limit, and calls hang with it.
  Scenario: A proxy that hangs is passed over
    Given tries reaching "reviews" time out after 100 ms
    And calls to "reviews" are retried up to 1 time on "gateway-error, reset, connect-failure", each on another instance
    And calls to "reviews" are balanced by "random"
    When the proxy of instance 2 of "reviews" is paused from 500 ms to 1500 ms
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then every call succeeds
    And every call finishes within 400 ms
    And instance 2 of "reviews" gets traffic again within 1 s of the end of the fault

  # Control: nothing is restarted, and nothing comes back.
  Scenario: A restart is over in a moment
    Given calls to "reviews" are retried up to 2 times on "connect-failure, reset", each on another instance
    And calls to "reviews" are balanced by "random"
    When instance 2 of "reviews" is restarted at 500 ms
    And "web" makes 200 calls per second to "reviews" for 2500 ms
    Then every call succeeds
    And instance 2 of "reviews" gets traffic again within 2 s of the fault
