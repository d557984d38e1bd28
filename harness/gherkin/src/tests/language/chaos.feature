Feature: Chaos
  Processes, wires and places are broken; what is claimed is a number, a moment, or that somebody noticed.

  Background:
    Given a service "web" in zone "home" that calls "reviews"
    And a service "reviews"
    And "reviews" has 2 instances in zone "east" and 2 in zone "west"

  # control (no policy, so without the fault): nothing is slow -> line 1 violated.
  Scenario: A slow wire is slow for those behind it
    When the wires of zone "east" are slowed by 100 ms, give or take 10 ms
    And "web" makes 400 calls per second to "reviews" for 3 seconds
    Then between 30% and 70% of the calls take at least 80 ms
    And every call succeeds

  # control (without the fault): nobody fails -> line 1 violated. A count: calls hang together while the wire is cut.
  Scenario: A cut is felt while it lasts
    Given the mesh keeps its own defaults for calls to "reviews"
    When zone "east" is cut off from 1 s to 2 s
    And "web" makes 100 calls per second to "reviews" for 5 seconds
    Then at least 10 calls take at least 500 ms
    And every call succeeds from 4 s

  # "No harm" alone. control (outage): the claimed calls are cut off in the window as well.
  @control(outage)
  Scenario: A wire that leaves room is no harm
    When the wire to "reviews" carries at most 500 KB/s from 1 s to 2 s
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then no call fails

  # control (without the fault): no try is lost -> violated. The proxy of an instance that is paused accepts, and answers nobody.
  Scenario: A paused proxy holds its calls
    When the proxy of instance 1 of "reviews" is paused at 1 s
    And the proxy of instance 1 of "reviews" comes back at 2 s
    And "web" makes 100 calls per second to "reviews" for 4 seconds
    Then at least 5 calls take at least 300 ms
    And calls to "reviews" recover within 1 s of the end of the fault

  # A restart is over in a moment; what follows is after it.
  @control(outage)
  Scenario: A restart in order loses nothing
    When instance 2 of "reviews" is restarted at 1 s
    And "web" makes 200 calls per second to "reviews" for 4 seconds
    Then every call succeeds after the fault
    And instance 2 of "reviews" gets traffic again within 2 s of the fault

  # control (without the fault): nothing is reset -> violated.
  Scenario: Connections are reset, and calls with them
    When the wire from "web" to instance 1 of "reviews" resets 100% of its connections at 1 s
    And the wire to instance 2 of "reviews" leaves its connections half open at 2 s
    And "web" makes 100 calls per second to "reviews" for 4 seconds
    Then at least 1 call is reset
