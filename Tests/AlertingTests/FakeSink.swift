import Foundation
import MeteringModel
import MeteringPorts
import Synchronization

/// The other side of webhooks, by a script: what each request to a host gets.
final class FakeSink: OutboundHTTP {
    typealias Script =
        @Sendable (OutboundRequest, Int) async -> Result<
            OutboundResponse, OutboundFailure
        >

    /// A request that the sink took (answered 2xx, or took and then dropped the answer).
    struct Received: Sendable, Hashable {
        var host: String
        var id: String
        var body: String
        var headers: [OutboundHeader]
    }

    private struct State {
        var scripts: [String: Script] = [:]
        var counts: [String: Int] = [:]
        var received: [Received] = []
        var attempts: [(host: String, id: String)] = []
        var problems: [String: String] = [:]
    }
    private let state = Mutex(State())

    static let ok: Result<OutboundResponse, OutboundFailure> = .success(
        OutboundResponse(status: 200))
    static let dropped: Result<OutboundResponse, OutboundFailure> = .failure(
        OutboundFailure(code: .broken, message: "dropped", mayHaveArrived: true))

    static func status(
        _ status: Int, _ headers: [OutboundHeader] = [], body: String = ""
    ) -> Result<OutboundResponse, OutboundFailure> {
        .success(OutboundResponse(status: status, headers: headers, body: Array(body.utf8)))
    }

    func script(_ host: String, _ script: @escaping Script) {
        state.withLock { $0.scripts[host] = script }
    }

    func refuse(_ url: String, _ problem: String) { state.withLock { $0.problems[url] = problem } }

    var received: [Received] { state.withLock { $0.received } }
    func received(_ host: String) -> [Received] { received.filter { $0.host == host } }
    var attemptCount: Int { state.withLock { $0.attempts.count } }
    func attempts(_ host: String) -> [String] {
        state.withLock { $0.attempts.filter { $0.host == host }.map(\.id) }
    }

    /// Ids of messages that a host has had, each once, in the order of their first arrival.
    func messages(_ host: String) -> [String] {
        var seen: Set<String> = []
        return received(host).flatMap { received -> [String] in
            let data = (try? JSONParser.parse(Array(received.body.utf8)))?["data"]
            return data?["messages"]?.elements?.compactMap { $0["id"]?.text } ?? [received.id]
        }.filter { seen.insert($0).inserted }
    }

    func send(
        _ request: OutboundRequest
    ) async throws(OutboundFailure) -> OutboundResponse {
        let host = Self.host(request.url)
        let id = request.headers.first { $0.name == "webhook-id" }?.value ?? ""
        let (script, number) = state.withLock { state in
            state.counts[host, default: 0] += 1
            state.attempts.append((host, id))
            return (state.scripts[host], state.counts[host] ?? 0)
        }
        let result = await script?(request, number) ?? Self.ok
        let isTaken =
            switch result {
            case .success(let response): (200..<300).contains(response.status)
            case .failure(let failure): failure.code == .broken && failure.mayHaveArrived
            }
        if isTaken {
            state.withLock {
                $0.received.append(
                    Received(
                        host: host, id: id, body: String(decoding: request.body, as: UTF8.self),
                        headers: request.headers))
            }
        }
        return try result.get()
    }

    func problem(with url: String) -> String? { state.withLock { $0.problems[url] } }

    static func host(_ url: String) -> String {
        String(url.split(separator: "/").dropFirst().first ?? "")
    }
}
