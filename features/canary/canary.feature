Feature: Canary
  A new version gets the share of the traffic that it was given: no more, no less, and for some nobody at all.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" that answers in 5 ms
    And "reviews" has 1 instance of version "v1" and 1 of version "v2"

  # Control: no weights, so the two instances share the calls evenly.
  @smoke
  Scenario: A tenth of the calls go to the canary
    Given 90% of the calls to "reviews" go to version "v1" and 10% to version "v2"
    When "web" makes enough calls to "reviews" to decide
    Then between 5% and 15% of the calls reach version "v2" of "reviews"

  # Control: no route, half of the calls land on the canary.
  Scenario: Nobody meets the canary before its time
    Given calls to "reviews" go to version "v1"
    When "web" makes 200 calls per second to "reviews" for 1 second
    Then no call reaches version "v2" of "reviews"
    And every call succeeds

  # Control: no routes at all; testers meet the old version half of the time. The two lines do not alternate, lest round robin
  # give each a version of its own.
  Scenario: Testers meet the canary by a header, and nobody else does
    Given calls to "reviews" go to version "v1"
    And calls to "reviews" with header "x-canary: yes" go to version "v2"
    When "web" makes 100 calls per second to "reviews" with header "x-canary: yes" for 1 second
    And meanwhile "web" makes 170 calls per second to "reviews" on path "/home" for 1 second
    Then every call to "reviews" with header "x-canary: yes" reaches version "v2" of "reviews"
    And every call to "reviews" on path "/home" reaches version "v1" of "reviews"
