import Foundation

/// Sends events in batches and does not lose any: what the server could not make durable, or what
/// got no answer, is sent again. Safe, because an event's id makes the server count it once.
struct EventSender: Sendable {
    private static let firstPause = 0.2
    private static let longestPause = 5.0

    struct Outcome: Sendable {
        var accepted: Int
        /// Index in the batch, code and detail.
        var rejected: [IngestAnswer.Rejection]
    }

    let client: APIClient
    /// Count events in their own, already closed periods too.
    var isBackfill = false
    /// How long one batch is tried before the work is given up, in seconds.
    var patienceSeconds = 60.0

    /// - Parameter events: structured CloudEvents.
    /// - Throws: `retryLater` or `unreachable` once patience has run out, or at once what no
    ///   repetition can cure.
    func send(_ events: [String]) async throws(ClientFailure) -> Outcome {
        let request = APIRequest(
            .post, ["v1", "events"], query: isBackfill ? [("backfill", "true")] : [],
            body: Data(("[" + events.joined(separator: ",") + "]").utf8),
            contentType: "application/cloudevents-batch+json")
        let deadline = ContinuousClock.now + .seconds(patienceSeconds)
        var pause = Self.firstPause
        while true {
            let failure: ClientFailure
            var wait = pause
            do throws(ClientFailure) {
                let reply = try await client.exchange(request)
                if (200..<300).contains(reply.status) {
                    let answer = try client.decoded(IngestAnswer.self, from: reply.body)
                    return Outcome(accepted: answer.accepted, rejected: answer.rejected ?? [])
                }
                failure = Problem(reply).failure
                if let seconds = reply.retryAfterSeconds {
                    wait = min(max(seconds, pause), Self.longestPause)
                }
            } catch {
                failure = error
            }
            let isWorthRepeating = [.unreachable, .retryLater].contains(failure.status)
            guard isWorthRepeating, ContinuousClock.now + .seconds(wait) < deadline else {
                throw failure
            }
            do { try await Task.sleep(for: .seconds(wait)) } catch { throw failure }
            pause = min(pause * 2, Self.longestPause)
        }
    }
}
