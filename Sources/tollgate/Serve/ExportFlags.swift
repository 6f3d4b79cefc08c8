import ArgumentParser
import MeteringModel

/// What `tollgate serve` was told about exports.
struct ExportConfiguration: Sendable {
    /// Nil: Stripe is told nothing.
    var stripeKeyFile: String?
    var stripeBase = "https://api.stripe.com"
    /// Nil: the begin of the day (UTC) on which the server first ran with a key.
    var stripeFrom: Timestamp?
    /// Nil: closed statements go to no topic.
    var statementsTopic: String?
    /// Who sells and invoices, in FOCUS files.
    var issuer = "tollgate"

    /// Usage is compared with what was sent from the begin of the month 35 days back on.
    private static let hoursDaysMin: Int64 = 70

    /// - Parameter rollupHoursDays: how long usage is kept by the hour. What is gone would look like
    ///   usage that was taken back.
    func check(kafka: String?, rollupHoursDays: Int64) throws {
        let keys = try SecretFile.read(stripeKeyFile, flag: "--stripe-secret-key-file")
        if keys.count > 1 {
            throw ConfigurationError("--stripe-secret-key-file: the file must hold one key")
        }
        if stripeKeyFile != nil, rollupHoursDays < Self.hoursDaysMin {
            throw ConfigurationError(
                "--rollup-hours-days must be \(Self.hoursDaysMin) or more with "
                    + "--stripe-secret-key-file, not \(rollupHoursDays): what was sent is compared "
                    + "with usage by the hour")
        }
        if statementsTopic != nil, kafka == nil {
            throw ConfigurationError("--statements-topic is a topic of --kafka; give both")
        }
        if stripeFrom != nil, stripeKeyFile == nil {
            throw ConfigurationError("--stripe-export-from needs --stripe-secret-key-file")
        }
    }
}

/// The flags of `tollgate serve` about exports.
struct ExportFlags: ParsableArguments {
    @Option(help: "File with the secret key of Stripe's API; with it, usage is sent to Stripe.")
    var stripeSecretKeyFile: String?
    @Option(help: "Address of Stripe's API; https://api.stripe.com.") var stripeApiBase: String?
    @Option(
        help: "Usage before it is not sent to Stripe, RFC 3339; the day of the first start.")
    var stripeExportFrom: String?
    @Option(help: "Topic that lines of closed statements are produced to (with --kafka).")
    var statementsTopic: String?
    @Option(help: "Who sells and invoices, for FOCUS files; tollgate.")
    var statementIssuer: String?

    /// - Parameter value: the first of flag, environment and file.
    func resolve(
        _ value: (_ flag: String?, _ name: String) throws -> String?
    ) throws -> ExportConfiguration {
        var result = ExportConfiguration()
        result.stripeKeyFile = try value(stripeSecretKeyFile, "stripe-secret-key-file")
        if let base = try value(stripeApiBase, "stripe-api-base") {
            result.stripeBase = base.hasSuffix("/") ? String(base.dropLast()) : base
        }
        if let text = try value(stripeExportFrom, "stripe-export-from") {
            guard let from = Timestamp(rfc3339: text) else {
                throw ConfigurationError(
                    "--stripe-export-from must be a time such as 2026-11-01T00:00:00Z, "
                        + "not `\(text)`")
            }
            result.stripeFrom = from
        }
        result.statementsTopic = try value(statementsTopic, "statements-topic")
        result.issuer = try value(statementIssuer, "statement-issuer") ?? result.issuer
        return result
    }
}
