Feature: Blast radius
  What is broken for one is not broken for all: a fault stays with the service and with the user it was aimed at.

  Background:
    Given the mesh "shop"

  # Control: no fault, and nobody fails. The second line is the guard: it is about those that the fault was not aimed at.
  Scenario: A fault at one service does not reach another
    When 60% of the tries reaching "ratings" are aborted with status 503
    And "web" makes 200 calls per second to "ratings" for 1 second
    And meanwhile "web" makes 200 calls per second to "reviews" for 1 second
    Then at least 20% of the calls to "ratings" fail
    And every call to "reviews" succeeds

  # Control: no fault, and nobody fails.
  Scenario: A fault for one user is not felt by another
    When calls of user "user-2" to "reviews" are aborted with status 503
    And "web" makes 200 calls per second to "reviews" as 4 users for 1 second
    Then every call of user "user-2" to "reviews" fails
    And every call of user "user-1" to "reviews" succeeds
    And every call of user "user-3" to "reviews" succeeds

  # Control: no fault, and nobody fails.
  Scenario: A fault for a header is felt by whoever sends it
    When 50% of the tries reaching "reviews" with header "x-canary: yes" are aborted with status 503
    And "web" makes 200 calls per second to "reviews" with header "x-canary: yes" for 2 seconds
    And meanwhile "web" makes 200 calls per second to "reviews" on path "/home" for 2 seconds
    Then between 25% and 75% of the calls to "reviews" with header "x-canary: yes" fail
    And every call to "reviews" on path "/home" succeeds
