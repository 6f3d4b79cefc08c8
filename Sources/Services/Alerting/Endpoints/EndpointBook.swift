package import Logging
import MeteringModel
package import MeteringPorts
import Synchronization

/// The endpoints there are, as their records say. Read again after a second, so that a change by
/// any way (an undo too) is seen soon; at once after `refresh`.
package final class EndpointBook: Sendable {
    private struct Page {
        var endpoints: [AlertEndpoint] = []
        /// Nil until a first reading succeeded.
        var ids: Set<String>?
        var readAt: Timestamp?
    }

    private static let keepMicroseconds: Int64 = 1_000_000

    private let records: any RecordKeeping
    /// Whether an address may be used is asked when it is used: a message for an endpoint whose
    /// address the operator has forbidden since waits, and is not lost.
    private let reader = EndpointReader(addressProblem: { _ in nil }, topicProblem: nil)
    private let clock: WallClock
    private let logger: Logger
    private let page = Mutex(Page())

    package init(records: any RecordKeeping, clock: WallClock, logger: Logger) {
        self.records = records
        self.clock = clock
        self.logger = logger
    }

    package func endpoints() -> [AlertEndpoint] { current().endpoints }

    /// Whether an endpoint is known to be no more. Not so for one that merely cannot be read.
    package func isGone(_ id: String) -> Bool {
        current().ids.map { !$0.contains(id) } ?? false
    }

    package func endpoint(_ id: String) -> AlertEndpoint? {
        endpoints().first { $0.id.utf8.elementsEqual(id.utf8) }
    }

    package func refresh() { page.withLock { $0.readAt = nil } }

    /// That of the last reading, read again when it is old. When it cannot be, what is known stays.
    private func current() -> Page {
        let now = clock.now()
        return page.withLock { page in
            if let readAt = page.readAt,
                (0..<Self.keepMicroseconds).contains(now.microseconds(since: readAt))
            {
                return page
            }
            do throws(ControlProblem) {
                page = try readAll(at: now)
            } catch {
                logger.warning("alert endpoints cannot be read: \(error.detail)")
            }
            return page
        }
    }

    private func readAll(at now: Timestamp) throws(ControlProblem) -> Page {
        var page = Page(ids: [], readAt: now)
        for history in try records.records(.alertEndpoint, customer: nil) {
            guard let document = history.latest else { continue }
            page.ids?.insert(history.id)
            do throws(ControlProblem) {
                page.endpoints.append(try reader.read(history.id, document))
            } catch {
                logger.warning(
                    "the alert endpoint \(history.id) cannot be used: \(error.detail)")
            }
        }
        return page
    }
}
