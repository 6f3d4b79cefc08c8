import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import YAMLCatalog

/// Everything that can be known wrong without starting.
enum ConfigurationCheck {
    private static let logLevels = ["trace", "debug", "info", "warning", "error"]

    /// What `--check-config` looks at: the settings and the catalog. Changes nothing.
    static func run(_ configuration: Configuration) throws {
        try settings(configuration)
        guard let path = configuration.catalogPath else { return }
        let yaml = try CatalogFile.read(path)
        do throws(CatalogProblems) {
            let document = try YAMLCatalog.document(yaml)
            let compiled = CatalogSnapshot.compile(
                document.catalog, revision: 1, hash: KeyHash(k0: 0, k1: 0),
                zone: { try? ZoneFiles.load($0) })
            if case .failure(let issues) = compiled { throw document.problems(for: issues) }
        } catch {
            throw CatalogFile.error(path, error)
        }
    }

    /// What every start looks at before it opens anything.
    static func settings(_ configuration: Configuration) throws {
        guard logLevels.contains(configuration.logLevel) else {
            throw ConfigurationError(
                "--log-level: `\(configuration.logLevel)` is none of "
                    + logLevels.joined(separator: ", "))
        }
        _ = try SecretFile.read(
            configuration.stripeSecretFile, flag: "--stripe-webhook-secret-file")
        try configuration.exports.check(
            kafka: configuration.kafka, rollupHoursDays: configuration.rollupHoursDays)
        if (configuration.tlsCertificate == nil) != (configuration.tlsKey == nil) {
            throw ConfigurationError(
                "--tls-certificate and --tls-key belong together; give both or none")
        }
        let keys = try SecretFile.keys(configuration.apiKeysFile)
        if keys.isEmpty, !configuration.http.isLoopback {
            throw ConfigurationError(
                "--http \(configuration.http) is not a loopback address, and there is no API key: "
                    + "name a file of keys with --api-keys-file, or listen on 127.0.0.1")
        }
        let (http, admin) = (configuration.http, configuration.admin)
        if http.port != 0, http.port == admin.port, http.overlaps(admin) {
            throw ConfigurationError(
                "--http \(http) and --admin \(admin) are the same port; give each its own")
        }
        _ = try AlertingParts.allowances(configuration)
        try AlertingParts.checkAuthorities(configuration)
        if let url = configuration.redis { try SharedStore.validate(url) }
        if let reason = DataDirectory.obstacle(configuration.dataDirectory) {
            throw DataDirectory.error(configuration.dataDirectory, reason)
        }
    }
}

/// The folder of the embedded stores.
enum DataDirectory {
    /// Makes the folder and those above it where they are missing.
    static func make(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Self.error(path, obstacle(path) ?? error.localizedDescription)
        }
    }

    /// Why the folder cannot be made or written, as far as that shows beforehand.
    static func obstacle(_ path: String) -> String? {
        let files = FileManager.default
        var nearest = URL(fileURLWithPath: path).standardizedFileURL
        while !files.fileExists(atPath: nearest.path), nearest.pathComponents.count > 1 {
            nearest.deleteLastPathComponent()
        }
        let resolved = nearest.resolvingSymlinksInPath().path
        guard
            (try? files.attributesOfItem(atPath: resolved))?[.type] as? FileAttributeType
                == .typeDirectory
        else { return "\(nearest.path) is not a folder" }
        return files.isWritableFile(atPath: nearest.path)
            ? nil : "\(nearest.path) may not be written by this user"
    }

    static func error(_ path: String, _ reason: String) -> ConfigurationError {
        let verb = FileManager.default.fileExists(atPath: path) ? "use" : "create"
        return ConfigurationError("--data-dir: cannot \(verb) \(path): \(reason)")
    }
}
