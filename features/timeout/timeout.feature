Feature: Timeout
  A caller is never held longer than its policy says, whatever its callee does.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # Control: no timeout (not even Envoy's own 15 s): answers come after 1 s.
  @smoke
  Scenario: A slow callee does not hold its caller
    Given calls to "reviews" time out after 300 ms
    When every instance of "reviews" answers in 1 s
    And "web" makes 50 calls per second to "reviews" for 2 seconds
    Then every call times out
    And every call finishes within 400 ms

  # Control: the policies away, a third of the calls takes 2 s.
  Scenario: A slow instance is passed over
    Given tries reaching "reviews" time out after 100 ms
    And calls to "reviews" are retried up to 2 times on "gateway-error", each on another instance
    And calls to "reviews" are balanced by "random"
    When instance 2 of "reviews" answers in 2 s
    And "web" makes 200 calls per second to "reviews" for 3 seconds
    Then at least 97% of the calls succeed within 250 ms

  # The delay of a fault at the caller's own proxy lies before that proxy's timer. Control: the same delay behind it.
  Scenario: A delay at the caller's own proxy is not its timeout's business
    Given calls to "reviews" time out after 300 ms
    When calls to "reviews" are delayed by 500 ms
    And in the control run tries reaching "reviews" are delayed by 500 ms
    And "web" makes 5 calls to "reviews"
    Then every call succeeds
    And every call takes at least 490 ms

  # A call on which nothing moves is given up, whatever it may last in all. Control: no limit, answers come after 1 s.
  Scenario: Who says nothing is given up
    Given calls to "reviews" time out when idle for 300 ms
    When every instance of "reviews" answers in 1 s
    And "web" makes 50 calls per second to "reviews" for 2 seconds
    Then every call times out
    And every call finishes within 450 ms

  # What is left of the time of a call bounds what is done for it: nobody works for a caller that has gone. Control: "web" goes on
  # with what it began, and its call takes a second.
  Scenario: Who has no time left asks nobody to work
    Given a service "phone" that calls "web"
    And calls to "web" time out after 300 ms
    And calls to "web" keep their deadline
    When every instance of "reviews" answers in 1 s
    And "phone" makes 50 calls per second to "web" for 2 seconds
    Then every call from "web" to "reviews" times out
    And every call from "web" to "reviews" finishes within 400 ms
