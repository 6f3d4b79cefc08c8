import Foundation
import Testing

@testable import tollgate

@Suite("Sending events") struct EventSenderTests {
    private static let taken = ServerScript.Act.answer(
        status: 202, body: #"{"accepted":1,"rejected":[{"index":1,"code":"missing_id"}]}"#)

    private func send(
        _ script: ServerScript, patience: Double = 30
    ) async throws -> EventSender.Outcome {
        try await script.serve { port in
            let client = APIClient(
                base: try ServerAddress("127.0.0.1:\(port)", option: "--server"), apiKey: nil)
            return try await EventSender(client: client, patienceSeconds: patience)
                .send([#"{"id":"1"}"#, #"{"a":2}"#])
        }
    }

    @Test("what was not acknowledged is sent again, whole", .timeLimit(.minutes(1)))
    func repeats() async throws {
        let script = ServerScript([
            .hangUp, .answer(status: 503, headers: ["Retry-After": "0"], body: "{}"), .hangUp,
            Self.taken,
        ])
        let outcome = try await send(script)
        #expect(outcome.accepted == 1)
        #expect(outcome.rejected.map(\.code) == ["missing_id"])
        #expect(script.seen == Array(repeating: #"[{"id":"1"},{"a":2}]"#, count: 4))
    }

    @Test("what no repetition can cure ends it", .timeLimit(.minutes(1)))
    func givesUpAtOnce() async throws {
        let script = ServerScript([.answer(status: 401, body: #"{"title":"No key"}"#)])
        let failure = await #expect(throws: ClientFailure.self) { try await send(script) }
        #expect(failure?.status == .notAuthorized)
        #expect(failure?.message == "No key")
        #expect(script.seen.count == 1)
    }

    @Test("patience ends, with the class of the last failure", .timeLimit(.minutes(1)))
    func patienceEnds() async throws {
        let overloaded = ServerScript([.answer(status: 503, body: "<html>")])
        let first = await #expect(throws: ClientFailure.self) {
            try await send(overloaded, patience: 0)
        }
        #expect(first?.status == .retryLater)
        let second = await #expect(throws: ClientFailure.self) {
            try await send(ServerScript([.hangUp]), patience: 0)
        }
        #expect(second?.status == .unreachable)
        #expect(second?.message.contains("connection lost") == true)
    }

    @Test("a refused connection is reported at once, every time", .timeLimit(.minutes(1)))
    func refusedConnections() async throws {
        // The port was ours a moment ago and is closed now.
        let port = try await ServerScript([.hangUp]).serve { $0 }
        let client = APIClient(
            base: try ServerAddress("127.0.0.1:\(port)", option: "--server"), apiKey: nil)
        await withTaskGroup(of: ClientFailure?.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do throws(ClientFailure) {
                        _ = try await client.exchange(.post(["v1", "events"], json: "x"))
                        return nil
                    } catch { return error }
                }
            }
            for await failure in group { #expect(failure?.status == .unreachable) }
        }
    }

    @Test(
        arguments: [
            ("http://a:1", "a", 1), ("a:1/", "a", 1), ("http://a", "a", 80),
            ("https://a", "a", 443), ("[::1]:2", "::1", 2),
        ])
    func addresses(text: String, host: String, port: Int) throws {
        let address = try ServerAddress(text, option: "--server")
        #expect(address.host == host)
        #expect(address.port == port)
    }

    @Test(arguments: ["", "http://", "https://", "http://a:1/v1", "a:99999", "ftp://a"])
    func wrongAddresses(text: String) {
        let failure = #expect(throws: ClientFailure.self) {
            try ServerAddress(text, option: "--server")
        }
        #expect(failure?.status == .usage)
    }
}
