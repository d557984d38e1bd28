Feature: Faults on the wire
  What is between two proxies breaks in ways of its own: silence, refusal, resets, slowness.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 2 instances that answer in 5 ms

  # Nobody answers on a cut wire, neither on open connections nor to who wants a new one: only time limits tell, that of the call
  # or that of the connection (1 s). Control: no limit of the call, and calls hang.
  Scenario: A partition costs what the time limit says, and is over when it is over
    Given calls to "reviews" time out after 250 ms
    When the wire from "web" to instance 2 of "reviews" is cut from 1 s to 4 s
    And "web" makes 100 calls per second to "reviews" for 6500 ms
    Then every call finishes within 350 ms
    And at least 60 calls time out
    And no call fails before the fault
    And calls to "reviews" recover within 1500 ms of the end of the fault

  # Whoever holds a half-open connection waits in vain; whoever connects anew is served. Control: without the time limit the calls
  # on the old connections hang.
  Scenario: A half-open connection is told from a cut wire
    Given calls to "reviews" time out after 250 ms
    When the wire from "web" to instance 2 of "reviews" leaves its connections half open from 500 ms to 2 s
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then at least 1 call times out
    And at most 20 calls fail
    And every call finishes within 350 ms
    And instance 2 of "reviews" receives at least 20 tries during the fault

  # Control: no retries, and whoever was on a connection that is reset has failed.
  Scenario: Retries hide connections that are reset
    Given calls to "reviews" are retried up to 1 time on "reset", each on another instance
    And calls to "reviews" are balanced by "random"
    When the wire from "web" to instance 2 of "reviews" resets 100% of its connections from 500 ms to 1500 ms
    And "web" makes 200 calls per second to "reviews" for 2 seconds
    Then every call succeeds
    And at least 40 calls are retried during the fault

  # Open connections live on when new ones are refused: it is felt once they are gone. Control: no retries, and half of the calls
  # fail from then on.
  Scenario: Refused connections are connection failures
    Given calls to "reviews" are retried up to 1 time on "connect-failure, reset", each on another instance
    And calls to "reviews" are balanced by "random"
    When the wire from "web" to instance 2 of "reviews" refuses connections from 300 ms to 1500 ms
    And the proxy of instance 2 of "reviews" is restarted at 600 ms
    And "web" makes 200 calls per second to "reviews" for 2500 ms
    Then every call succeeds
    And at least 40 calls are retried during the fault

  # Control: the wire is as fast as ever.
  Scenario: A slow wire makes a slow call and no failure
    When the wire from "web" to instance 2 of "reviews" is slowed by 100 ms, give or take 20 ms
    And "web" makes 250 calls per second to "reviews" for 2 seconds
    Then between 32% and 68% of the calls take at least 75 ms
    And every call succeeds

  # An answer is some 300 bytes: 100 a second are ten times what passes. Control: bandwidth enough.
  Scenario: A narrow wire fills up
    Given calls to "reviews" time out after 1 s
    When the wire from "web" to "reviews" carries at most 2 KB/s from 1 s to 3 s
    And "web" makes 100 calls per second to "reviews" for 5500 ms
    Then at least 20 calls time out
    And calls to "reviews" recover within 1500 ms of the end of the fault

  # The work is done and nobody learns of it. Control: answers come.
  Scenario: Swallowed answers are served calls
    Given calls to "reviews" time out after 200 ms
    When the wire from "web" to instance 2 of "reviews" swallows answers from 1 s to 2 s
    And "web" makes 100 calls per second to "reviews" for 4 seconds
    Then at least 20 calls time out
    And instance 2 of "reviews" serves at least 30 tries during the fault
    And calls to "reviews" recover within 1 s of the end of the fault

  # Damage may be there before anybody calls: it is met on connections that are open already. Control: the wire is whole.
  @control(faults)
  Scenario: A wire that is cut all the time is felt by everyone who is sent over it
    Given calls to "reviews" time out after 250 ms
    When the wire from "web" to instance 2 of "reviews" is cut
    And "web" makes 100 calls per second to "reviews" for 2 seconds
    Then every call finishes within 350 ms
    And at least 60 calls time out

  # Control: the wires are whole, and everybody is served.
  @control(faults)
  Scenario: Nobody is served over wires that swallow requests
    Given calls to "reviews" time out after 250 ms
    When the wire from "web" to "reviews" swallows requests
    And "web" makes 100 calls per second to "reviews" for 2 seconds
    Then every call finishes within 350 ms
    And every call times out
