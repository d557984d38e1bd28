Feature: Passive health checking
  A caller's proxy learns from its own calls whom to leave out (outlier detection), for how long, and how many at a time.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # Control: no ejection, a third of the calls fails for half a second.
  Scenario: An instance that fails is ejected and comes back
    Given an instance of "reviews" is ejected for 1 s after 5 failures in a row
    When instance 2 of "reviews" answers with status 500 from 500 ms to 1 s
    And "web" makes 300 calls per second to "reviews" for 3 seconds
    Then instance 2 of "reviews" is ejected within 500 ms of its 5th failure
    And instance 2 of "reviews" is ejected for between 900 ms and 1600 ms
    And instance 2 of "reviews" gets traffic again within 2 s of the end of the fault
    And at most 10 calls fail

  # An ejection lasts longer each time: base time times their number. Control: no ejection, a third of the calls fails for 2 s.
  Scenario: Whoever goes on failing is let in seldom
    Given an instance of "reviews" is ejected for 300 ms after 5 failures in a row
    When instance 2 of "reviews" answers with status 500 from 500 ms to 2500 ms
    And "web" makes 300 calls per second to "reviews" for 4 seconds
    Then instance 2 of "reviews" is ejected for between 250 ms and 700 ms
    And at most 30 calls fail

  # Changes to a set of hosts reach Envoy's workers up to 1 s late (update_merge_window), which Squall otherwise sets to 0: the
  # first ejection is immediate, the second is not. Control: no ejection.
  Scenario: By Envoy's own defaults a second ejection comes late
    Given the mesh keeps its own defaults for calls to "reviews"
    And an instance of "reviews" is ejected for 300 ms after 5 failures in a row, at most 50% at a time
    When instance 2 of "reviews" answers with status 500 from 500 ms to 2500 ms
    And "web" makes 300 calls per second to "reviews" for 4 seconds
    Then instance 2 of "reviews" is ejected within 500 ms of its 5th failure
    And at most 170 calls fail

  # All fail, and half of them stay in: a call is answered, if badly. Control: no limit, all are out, and nobody is asked.
  Scenario: Not more than half of them are ejected
    Given an instance of "reviews" is ejected for 10 s after 3 failures in a row, at most 34% at a time
    And in the control run an instance of "reviews" is ejected for 10 s after 3 failures in a row
    When every instance of "reviews" answers with status 500
    And "web" makes 200 calls per second to "reviews" for 2 seconds
    Then every call is answered with status 500
    And no call is refused
