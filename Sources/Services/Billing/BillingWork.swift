package import Logging

/// What billing does by the clock: two loops that end when their tasks are cancelled.
package struct BillingWork: Sendable {
    private let engine: BillingEngine
    private let logger: Logger
    private static let pause = Duration.seconds(5)

    package init(engine: BillingEngine, logger: Logger) {
        self.engine = engine
        self.logger = logger
    }

    /// Follows what bears on closed months and puts them right.
    package func follow() async {
        await rounds("billing cannot follow changes") { () async throws(BillingError) in
            let followed = try await engine.follow()
            let adjusted = try await engine.adjust()
            return followed + adjusted > 0
        }
    }

    /// Closes months whose grace is over.
    package func close() async {
        await rounds("months cannot be closed") { () async throws(BillingError) in
            try await engine.closeDue() > 0
        }
    }

    /// - Parameter body: true when there may be more to do at once.
    private func rounds(
        _ trouble: String, _ body: () async throws(BillingError) -> Bool
    ) async {
        while !Task.isCancelled {
            var isBusy = false
            do throws(BillingError) {
                isBusy = try await body()
            } catch {
                logger.error("\(trouble): \(error.message)")
            }
            if !isBusy { try? await Task.sleep(for: Self.pause) }
        }
    }
}
