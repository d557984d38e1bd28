Feature: Load balancing
  Each algorithm promises a distribution of its own.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # Control: a split of another kind.
  Scenario: Round robin goes round
    Given calls to "reviews" are balanced by "round robin"
    And in the control run 80% of the calls to "reviews" go to instance 1 of "reviews" and 20% to instance 2 of "reviews"
    When "web" makes 300 calls per second to "reviews" for 1 second
    Then instance 1 of "reviews" receives between 98 and 102 tries
    And instance 2 of "reviews" receives between 98 and 102 tries
    And instance 3 of "reviews" receives between 98 and 102 tries

  # Control: round robin goes to the slow one as often as to the others.
  Scenario: Least request keeps away from the slow one
    Given calls to "reviews" are balanced by "least request"
    When instance 3 of "reviews" answers in 500 ms
    And "web" makes 300 calls per second to "reviews" for 3 seconds
    Then instance 3 of "reviews" receives at most 22% of the tries
    And every call succeeds

  # Control: a split of another kind.
  Scenario: Random is even in the long run
    Given calls to "reviews" are balanced by "random"
    And in the control run 80% of the calls to "reviews" go to instance 1 of "reviews" and 20% to instance 2 of "reviews"
    When "web" makes 600 calls per second to "reviews" for 4 seconds
    Then instance 1 of "reviews" receives between 25% and 42% of the tries
    And instance 3 of "reviews" receives between 25% and 42% of the tries

  # Control: round robin sends each user everywhere.
  Scenario Outline: <algorithm> leads a user to one instance
    Given calls to "reviews" are balanced by "<algorithm>"
    When "web" makes 300 calls per second to "reviews" as 20 users for 1 second
    Then each user reaches only one instance of "reviews"

    Examples:
      | algorithm |
      | ring hash |
      | Maglev    |

  # Control: without stickiness each user goes everywhere.
  Scenario: A user stays where it was
    Given calls to "reviews" stay on one instance by user
    When "web" makes 300 calls per second to "reviews" as 20 users for 1 second
    Then each user reaches only one instance of "reviews"

  # Control: without it the new instance gets its whole share at once.
  Scenario: A new instance warms up
    Given an instance of "reviews" warms up for 3 s
    When "reviews" grows to 4 instances at 500 ms
    And "web" makes 300 calls per second to "reviews" for 4 seconds
    Then instance 4 of "reviews" receives at most 40 tries from 700 ms to 1500 ms
    And instance 4 of "reviews" receives at least 15 tries from 3700 ms to 4 s
