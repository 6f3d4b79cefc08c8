package import Logging
import MeteringModel
package import MeteringPorts

/// Runs planning and sending: a sweep whenever a window has settled, sending all the time.
package actor MeterEventExport {
    private let planning: MeterEventPlanning
    private let sender: MeterEventSender
    private let settings: MeterEventSettings
    private let clock: WallClock
    private let logger: Logger
    /// Number of the last settled hour that was swept.
    private var sweptHour: Int64?
    private var nextSweepAt = Timestamp.distantPast

    private static let idle = Duration.seconds(1)
    /// After a sweep that failed.
    private static let sweepRetrySeconds: Int64 = 30

    package init(
        planning: MeterEventPlanning, sender: MeterEventSender, settings: MeterEventSettings,
        clock: WallClock, logger: Logger
    ) {
        self.planning = planning
        self.sender = sender
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }

    /// Runs until cancelled. Calls under way then end first.
    package func run() async {
        async let sending: Void = send()
        while !Task.isCancelled {
            await sweepIfDue()
            try? await Task.sleep(for: Self.idle)
        }
        await sending
    }

    private nonisolated func send() async {
        while !Task.isCancelled {
            var count = 0
            do throws(BillingStoreError) {
                count = try await sender.round()
            } catch {
                logger.error(
                    "what Stripe is to be told cannot be read", metadata: ["error": "\(error)"])
            }
            if count == 0 { try? await Task.sleep(for: Self.idle) }
        }
    }

    private func sweepIfDue() async {
        let now = clock.now()
        let hour = now.adding(seconds: -settings.settleSeconds).seconds.floorDivided(by: 3_600)
        if hour == sweptHour || now < nextSweepAt { return }
        do {
            let count = try await planning.sweep()
            sweptHour = hour
            if count > 0 {
                logger.info("usage is planned for Stripe", metadata: ["events": "\(count)"])
            }
        } catch is CancellationError {
            return
        } catch {
            nextSweepAt = now.adding(seconds: Self.sweepRetrySeconds)
            logger.error(
                "usage cannot be planned for Stripe now; trying again",
                metadata: ["error": "\(error)", "seconds": "\(Self.sweepRetrySeconds)"])
        }
    }
}
