Feature: Protocols

  Background:
    Given a service "web" that calls "quotes"
    And a service "quotes" speaking grpc with 2 instances

  # default control: retries removed -> still 1 try -> VACUOUS. Replacement: the same status before any message -> retried -> violated.
  Scenario: gRPC: a status after a message is not retried
    Given calls to "quotes" are retried up to 2 times on "unavailable"
    When every instance of "quotes" answers with grpc status "UNAVAILABLE" after 1 message
    And in the control run every instance of "quotes" answers with grpc status "UNAVAILABLE"
    And "web" makes 50 calls to "quotes"
    Then no call is tried more than 1 time
    And every call is answered with grpc status "UNAVAILABLE"
