Feature: Active health checking
  Proxies ask instances how they are, so that nobody's call has to find out.

  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  # Control: no check, a third of the calls fails to the end.
  Scenario: A dead instance is found without a call that had to find it
    Given each instance of "reviews" is checked every 100 ms by tcp, out after 2 failures, back after 2 passes
    When instance 3 of "reviews" is killed at 500 ms
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then instance 3 of "reviews" is unhealthy within 500 ms of the fault
    And every call succeeds from 1500 ms to 3 s

  # Control: no check, a third of the calls fails for a second.
  Scenario: An instance that says it is unwell is left alone until it is well again
    Given each instance of "reviews" is checked every 100 ms by http on path "/healthz", out after 1 failure, back after 2 passes
    When instance 3 of "reviews" answers with status 503 from 500 ms to 1500 ms
    And "web" makes 100 calls per second to "reviews" for 3 seconds
    Then instance 3 of "reviews" is unhealthy within 400 ms of the fault
    And instance 3 of "reviews" gets traffic again within 800 ms of the end of the fault
    And at most 25 calls fail

  # The health service of gRPC. Control: no check.
  Scenario: A service of gRPC is asked by its own health service
    Given a service "quotes" with 3 instances that answer in 5 ms speaking grpc
    And a service "web" that calls "quotes"
    And each instance of "quotes" is checked every 100 ms by grpc, out after 1 failure, back after 2 passes
    When instance 2 of "quotes" answers with grpc status "UNAVAILABLE" from 500 ms to 1500 ms
    And "web" makes 100 calls per second to "quotes" for 3 seconds
    Then instance 2 of "quotes" is unhealthy within 400 ms of the fault
    And at most 25 calls fail

  # Two of three are down: with fewer healthy than half, everyone is asked. Control: together nothing is checked and the lines
  # hold; without the panic line the one healthy instance gets all.
  Scenario: Too few are healthy, so everyone is asked
    Given each instance of "reviews" is checked every 100 ms by http on path "/healthz", out after 1 failure, back after 1 pass
    And "reviews" is called on every instance when fewer than 50% are healthy
    When the process of instance 1 of "reviews" is killed
    And the process of instance 2 of "reviews" is killed
    And "web" makes 200 calls per second to "reviews" for 3 seconds
    Then instance 1 of "reviews" receives at least 100 tries from 1 s to 3 s
    And instance 2 of "reviews" receives at least 100 tries from 1 s to 3 s
