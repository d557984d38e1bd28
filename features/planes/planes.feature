Feature: The planes of a mesh
  The data plane carries the traffic and keeps what it knows; the control plane teaches it, when it is there.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 2 instances that answer in 5 ms

  # "No harm" holds all the better without the fault. Control: while the control plane is away the claimed calls are cut off as well.
  @control(outage)
  Scenario: The data plane does not need the control plane
    When the control plane is killed from 1 s to 2 s
    And "web" makes 200 calls per second to "reviews" for 3 seconds
    Then every call succeeds

  # Control: the control plane lives, the growth stays: the new instance gets traffic in the window.
  Scenario: While it is away nothing is learned, and afterwards everything
    When the control plane is killed from 1 s to 3 s
    And "reviews" grows to 3 instances at 1500 ms
    And "web" makes 200 calls per second to "reviews" for 5 seconds
    Then instance 3 of "reviews" receives no tries during the fault
    And instance 3 of "reviews" gets traffic within 2 s of the end of the fault
    And every call succeeds
