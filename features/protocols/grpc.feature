Feature: gRPC
  A call of gRPC has a status of its own: in the trailers, or in a head that is nothing but trailers.

  Background:
    Given a service "web" that calls "quotes"
    And a service "quotes" with 3 instances that answer in 5 ms speaking grpc

  # Control: no retries, 30% fail.
  Scenario: Retries go by the status of gRPC
    Given calls to "quotes" are retried up to 2 times on "unavailable"
    When 30% of the tries reaching "quotes" are aborted with grpc status "UNAVAILABLE"
    And "web" makes 300 calls per second to "quotes" for 2 seconds
    Then at least 85% of the calls succeed
    And no call is tried more than 3 times
    And every failed call is answered with grpc status "UNAVAILABLE"
    And every failed call is tried more than 2 times

  # Control: retried on that status as well.
  Scenario: Another status is not retried
    Given calls to "quotes" are retried up to 2 times on "unavailable"
    And in the control run calls to "quotes" are retried up to 2 times on "unavailable, internal"
    When every instance of "quotes" answers with grpc status "INTERNAL"
    And "web" makes 50 calls to "quotes"
    Then no call is tried more than 1 time

  # Once a message was passed on, there is nothing left to try again. Control: the status comes alone.
  Scenario: A status after a message is not retried
    Given calls to "quotes" are retried up to 2 times on "unavailable"
    When every instance of "quotes" answers with grpc status "UNAVAILABLE" after 1 message
    And in the control run every instance of "quotes" answers with grpc status "UNAVAILABLE"
    And "web" makes 50 calls to "quotes"
    Then every call is answered with grpc status "UNAVAILABLE"
    And no call is tried more than 1 time

  # Envoy says UNAVAILABLE where a deadline was exceeded. Control: no time limit.
  Scenario: A time limit is told as unavailable
    Given calls to "quotes" time out after 200 ms
    When every instance of "quotes" answers in 1 s
    And "web" makes 50 calls per second to "quotes" for 2 seconds
    Then every call times out
    And every call finishes within 300 ms
