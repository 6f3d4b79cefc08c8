import BillingExport
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import OutboundHTTP
import Provisioning
import SQLBilling
import SQLCatalog
import SQLLedger

/// The way to Stripe: a client of its own, under the rules for outgoing requests.
struct StripeParts: Sendable {
    let export: MeterEventExport
    let sender: MeterEventSender
    let http: HTTPSender

    /// Where the first start keeps from when on usage is sent.
    private static let cursor = "stripe_from"
    private static let secondsMax = 30
    private static let answerBytesMax = 65_536

    /// Nil without a key.
    static func open(
        _ stores: Stores, _ configuration: Configuration, identifier: MeterEventIdentifier,
        counters: ExportCounters, logger: Logger
    ) throws -> StripeParts? {
        let exports = configuration.exports
        let keys = try SecretFile.read(exports.stripeKeyFile, flag: "--stripe-secret-key-file")
        guard let key = keys.first else { return nil }
        let http = try makeSender(exports.stripeBase, configuration)
        if let problem = http.problem(with: exports.stripeBase) {
            throw ConfigurationError("--stripe-api-base: \(problem)")
        }
        let settings = MeterEventSettings(from: try begin(stores, exports))
        let (store, ledger, clock) = (stores.billing, stores.ledger, stores.clock)
        let planning = MeterEventPlanning(
            store: store,
            hours: { customers, meter, from, to in
                try ledger.hourUsage(of: customers, meter, from: from, to: to)
            },
            source: source(stores.control), identifier: identifier, settings: settings,
            clock: clock, counters: counters, logger: logger)
        let sender = MeterEventSender(
            store: store, transport: transport(http, exports.stripeBase, key),
            settings: settings, clock: clock, counters: counters, logger: logger,
            random: { Int64.random(in: 0..<max(1, $0)) })
        return StripeParts(
            export: MeterEventExport(
                planning: planning, sender: sender, settings: settings, clock: clock,
                logger: logger),
            sender: sender, http: http)
    }

    /// The operator names the base: that is leave enough for its host and port.
    private static func makeSender(
        _ base: String, _ configuration: Configuration
    ) throws -> HTTPSender {
        var options = HTTPSender.Options()
        options.authorityFile = configuration.outboundAuthorityFile
        let place = base.split(separator: "/").dropFirst().first.map(String.init) ?? ""
        let isStripe = base == ExportConfiguration().stripeBase
        let allowance = isStripe ? nil : try? AddressRules.Allowance(place)
        options.rules = AddressRules(allowing: allowance.map { [$0] } ?? [])
        do throws(OutboundFailure) {
            return try HTTPSender(options)
        } catch {
            throw ConfigurationError("--outbound-ca: \(error.message)")
        }
    }

    /// What was sent before the first start is not known here, so nothing before it is sent again.
    private static func begin(
        _ stores: Stores, _ exports: ExportConfiguration
    ) throws -> Timestamp {
        let stored = try stores.billing.cursor(cursor)
        if let from = exports.stripeFrom { return from }
        if stored != 0 { return Timestamp(seconds: stored) }
        let today = stores.clock.now().seconds / 86_400 * 86_400
        try stores.billing.setCursor(cursor, today)
        return Timestamp(seconds: today)
    }

    private static func transport(
        _ http: HTTPSender, _ base: String, _ key: String
    ) -> StripeTransport {
        { (request) async throws(StripeTransportError) in
            let outgoing = OutboundRequest(
                url: base + request.path,
                headers: [
                    OutboundHeader("Authorization", "Bearer \(key)"),
                    OutboundHeader("Content-Type", "application/x-www-form-urlencoded"),
                    OutboundHeader("Idempotency-Key", request.idempotencyKey),
                ],
                body: request.body, timeoutSeconds: secondsMax, responseBytesMax: answerBytesMax)
            do throws(OutboundFailure) {
                let answer = try await http.send(outgoing)
                return StripeResponse(
                    status: answer.status, body: answer.body,
                    retryAfterSeconds: answer.header("Retry-After").flatMap { Int64($0) })
            } catch {
                throw StripeTransportError(
                    message: error.message, isOutcomeUnknown: error.mayHaveArrived)
            }
        }
    }

    /// What the control plane has now: the mapping's meters, and customers with a name at Stripe.
    private static func source(_ control: ControlParts) -> MeterEventSource {
        let (store, current) = (control.store, control.engine.current)
        return MeterEventSource(
            meters: {
                guard let document = try store.record(.integration, "stripe")?.latest else {
                    return []
                }
                let snapshot = current.load()
                return try RecordCodec.stripe(document).meters.sorted { $0.key < $1.key }
                    .compactMap { meter, target in
                        guard let index = snapshot.meterIndex(meter) else { return nil }
                        let definition = snapshot.meters[index]
                        return ReportedMeter(
                            meter: meter, aggregation: definition.aggregation,
                            scale: definition.scale, eventName: target.eventName,
                            windowSeconds: target.window == .hour ? 3_600 : 86_400)
                    }
            },
            customers: { after, limit in
                let snapshot = current.load()
                let page = try store.customers(
                    externalSystem: "stripe", after: after, limit: limit)
                let billed = page.filter { entry in
                    guard let number = snapshot.customerIndex(entry.customer) else { return false }
                    let customer = snapshot.customer(number)
                    return customer.environment.isBillable && !customer.isRemoved
                }
                return (
                    billed.map {
                        ReportedCustomer(stripeCustomer: $0.name, customer: $0.customer)
                    }, page.count < limit ? nil : page.last?.name
                )
            })
    }
}
