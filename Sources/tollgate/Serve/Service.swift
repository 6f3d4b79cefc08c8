import Alerting
import Enforcement
import Entitlements
import Foundation
import HTTPAPI
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLBilling
import SQLCatalog
import SQLLedger
import YAMLCatalog

/// The whole service, put together: the only place that knows every part.
final class Service: Sendable {
    private let parts: Parts
    let addresses: String

    /// Everything that runs, in the order in which it is stopped.
    struct Parts: Sendable {
        var ledger: SQLLedger
        var control: ControlParts
        var billing: SQLBilling
        var log: EventLogParts
        var alerts: AlertingParts
        var exports: ExportParts
        var pipeline: MeteringPipeline
        var gate: QuotaGate
        var shared: SharedCounterSync?
        var http: HTTPServer
        var operations: OperationsReport
        var background: [Task<Void, Never>]
    }

    private init(parts: Parts, addresses: String) {
        self.parts = parts
        self.addresses = addresses
    }

    static func start(_ configuration: Configuration, logger: Logger) async throws -> Service {
        let stores = try await Stores.open(configuration, logger: logger)
        let core = try ServiceCore(stores, configuration, logger: logger)
        let http = try core.makeHTTPServer(configuration)
        let admin = try await http.startAdmin(
            host: configuration.admin.host, port: configuration.admin.port)
        core.pipeline.start()
        try await catchUp(core.pipeline, configuration, logger)
        try core.restore()
        let following = await core.followContracts()
        let api = try await http.start(
            host: configuration.http.host, port: configuration.http.port)
        core.operations.setServing(true)
        let background = BackgroundWork.start(
            control: stores.control, following: following, gate: core.gate, shared: stores.shared,
            recorder: core.recorder, alerts: stores.alerts, signals: core.signals, logger: logger)
        let addresses =
            "http=\(Configuration.HostPort(host: api.host, port: api.port)) "
            + "admin=\(Configuration.HostPort(host: admin.host, port: admin.port))"
        return Service(
            parts: Parts(
                ledger: stores.ledger, control: stores.control, billing: stores.billing,
                log: stores.log, alerts: stores.alerts, exports: core.exports,
                pipeline: core.pipeline, gate: core.gate, shared: stores.shared, http: http,
                operations: core.operations,
                background: background + core.billing.start() + core.exports.start()),
            addresses: addresses)
    }

    /// Not ready at once; then questions under way are answered, and what they wrote is committed.
    func drain() async {
        parts.operations.setServing(false)
        await parts.http.drain(timeout: .seconds(10))
        for task in parts.background { task.cancel() }
        await parts.alerts.close()
        await parts.gate.drain()
        await parts.log.writer.close()
        await parts.pipeline.stop()
        await parts.shared?.close()
        await parts.log.close()
        await parts.exports.close()
        parts.ledger.close()
        parts.control.store.close()
        parts.billing.close()
    }

    // MARK: parts of the start

    /// Everything that was in the log when this process started is in the ledger before the first
    /// answer, so that no cap is re-opened by a restart.
    private static func catchUp(
        _ pipeline: MeteringPipeline, _ configuration: Configuration, _ logger: Logger
    ) async throws {
        var waited = 0
        while !pipeline.hasCaughtUp {
            try await Task.sleep(for: .milliseconds(20))
            waited += 20
            if waited % 10_000 == 0 {
                logger.info(
                    "catching up with the event log",
                    metadata: [
                        "lag": "\(pipeline.lag)", "trouble": "\(pipeline.trouble ?? "none")",
                    ])
            }
            if configuration.kafka != nil, waited >= 60_000, pipeline.positions.isEmpty {
                // Another member may own every partition; serve with what the ledger knows.
                logger.warning("no partition was assigned to this process; serving all the same")
                return
            }
        }
    }
}
