import Foundation
import Synchronization

/// A client that repeats what was not answered, until it is.
struct PersistentClient: ~Copyable {
    private let server: TollgateServer
    private var connection: HTTPConnection?
    private let deadline: Date
    private(set) var retries = 0

    init(_ server: TollgateServer, seconds: Double = 60) {
        self.server = server
        deadline = Date().addingTimeInterval(seconds)
    }

    /// Sends until the answer is neither 503 nor none at all.
    mutating func post(
        _ path: String, _ body: [UInt8], type: String = "application/json"
    ) throws -> HTTPAnswer {
        while true {
            do {
                let port = server.port
                if port == 0 { throw HTTPConnection.Broken(description: "no server") }
                let open = try connection ?? HTTPConnection(port: port)
                connection = open
                let answer = try open.send("POST", path, type: type, body: body)
                if answer.status != 503 { return answer }
            } catch is HTTPConnection.Broken {
                connection = nil
            }
            guard Date() < deadline else { throw Unmet("no answer to POST \(path) in time") }
            retries += 1
            Thread.sleep(forTimeInterval: 0.01)
        }
    }
}

/// Counts across threads.
final class Tally: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add(_ number: Int = 1) { count.add(number, ordering: .relaxed) }
}

extension TollgateServer {
    /// Posts batches one after the other, each until it is accepted; every event must be.
    func importEvents(_ batches: [[UInt8]], done: Tally = Tally()) async throws {
        try await onThread { [self] in
            var client = PersistentClient(self)
            for batch in batches {
                let answer = try client.post(
                    "/v1/events", batch, type: "application/cloudevents-batch+json")
                let verdict: Verdict? = answer.status == 202 ? try answer.read() : nil
                guard let verdict, verdict.rejected.isEmpty else {
                    throw Unmet("\(answer.status): \(answer.text.prefix(500))")
                }
                done.add()
            }
        }
    }

    /// What one of many consumers saw.
    struct Consumer: Sendable {
        var allowed: [String] = []
        var denied: [String] = []
        var lastReason = ""
        var degraded = 0
    }

    /// Clients that each consume one unit after the other until one is denied for good.
    func consumeUntilDenied(
        clients: Int, customer: String, feature: String, allowed tally: Tally = Tally()
    ) async throws -> [Consumer] {
        try await withThrowingTaskGroup(of: Consumer.self) { group in
            for number in 0..<clients {
                group.addTask { [self] in
                    try await onThread { [self] in
                        try consume(
                            prefix: "client-\(number)-", customer: customer, feature: feature,
                            tally)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func consume(
        prefix: String, customer: String, feature: String, _ tally: Tally
    ) throws -> Consumer {
        var client = PersistentClient(self)
        var seen = Consumer()
        while true {
            let id = prefix + String(seen.allowed.count)
            let body =
                #"{"customer":"\#(customer)","feature":"\#(feature)","quantity":1,"id":"\#(id)"}"#
            let answer = try client.post("/v1/consume", Array(body.utf8))
            guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
            let decision: DecisionAnswer = try answer.read()
            seen.lastReason = decision.reason
            if decision.allowed {
                seen.allowed.append(id)
                tally.add()
            } else if decision.reason == "degraded" {
                seen.degraded += 1
                Thread.sleep(forTimeInterval: 0.02)
            } else {
                seen.denied.append(id)
                return seen
            }
        }
    }
}
