import KeyLifecycle
import Testing

@Suite("issuer settings")
struct IssuerSettingsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let isAccepted: Bool
        let settings: IssuerSettings

        init(_ isAccepted: Bool, _ testDescription: String, _ change: (inout IssuerSettings) -> Void) {
            var settings = IssuerSettings()
            change(&settings)
            self.settings = settings
            self.isAccepted = isAccepted
            self.testDescription = testDescription
        }
    }

    @Test(
        "settings hold within their bounds and not one second outside",
        arguments: [
            Case(true, "the defaults") { _ in },
            Case(true, "the shortest maximum") {
                $0.maximumLifetime = 600; $0.lifetime = 600
            },
            Case(false, "a maximum below 600 s") {
                $0.maximumLifetime = 599; $0.lifetime = 599
            },
            Case(true, "a maximum of one day") { $0.maximumLifetime = 86_400 },
            Case(false, "a maximum over one day") {
                $0.maximumLifetime = 86_401; $0.overlap = 90_000
            },
            Case(false, "a maximum beyond counting") {
                $0.maximumLifetime = .max; $0.overlap = .max
            },
            Case(false, "a negative maximum") { $0.maximumLifetime = -1 },
            Case(true, "a default lifetime of 600 s") { $0.lifetime = 600 },
            Case(false, "a default lifetime below 600 s") { $0.lifetime = 599 },
            Case(true, "a default lifetime as long as the maximum") { $0.lifetime = 86_400 },
            Case(false, "a default lifetime over the maximum") {
                $0.maximumLifetime = 7_200; $0.lifetime = 7_201
            },
            Case(true, "an overlap as long as the maximum") {
                $0.maximumLifetime = 7_200; $0.overlap = 7_200
            },
            Case(false, "an overlap shorter than the maximum") {
                $0.maximumLifetime = 7_200; $0.overlap = 7_199
            },
            Case(true, "an overlap of thirty days") { $0.overlap = 2_592_000 },
            Case(false, "an overlap over thirty days") { $0.overlap = 2_592_001 },
            Case(true, "RSA keys of 3072 bits") { $0.rsaBits = 3_072 },
            Case(true, "RSA keys of 4096 bits") { $0.rsaBits = 4_096 },
            Case(false, "RSA keys of 1024 bits") { $0.rsaBits = 1_024 },
            Case(false, "RSA keys of 2049 bits") { $0.rsaBits = 2_049 },
            Case(false, "RSA keys of 8192 bits") { $0.rsaBits = 8_192 },
            Case(true, "a max-age of 10 s") { $0.jwksMaxAge = 10 },
            Case(false, "a max-age below 10 s") { $0.jwksMaxAge = 9 },
            Case(false, "no max-age") { $0.jwksMaxAge = 0 },
            Case(false, "a negative max-age") { $0.jwksMaxAge = -1 },
            Case(true, "a max-age of one day") { $0.jwksMaxAge = 86_400 },
            Case(false, "a max-age over one day") { $0.jwksMaxAge = 86_401 },
            Case(true, "nbf dated back by a minute") { $0.notBeforeSkew = 60 },
            Case(false, "nbf dated back by more than a minute") { $0.notBeforeSkew = 61 },
            Case(false, "nbf dated ahead") { $0.notBeforeSkew = -1 },
            Case(true, "rotations just further apart than the overlap") { $0.rotateEvery = 86_401 },
            Case(false, "rotations as far apart as the overlap") { $0.rotateEvery = 86_400 },
            Case(false, "rotations at no distance") { $0.rotateEvery = 0 },
            Case(false, "rotations at a negative distance") { $0.rotateEvery = .min },
            Case(true, "rotations every ten years") { $0.rotateEvery = 315_360_000 },
            Case(false, "rotations over ten years apart") { $0.rotateEvery = 315_360_001 },
            Case(false, "rotations at a distance beyond counting") { $0.rotateEvery = .max },
            Case(false, "a schedule without a standby key") {
                $0.rotateEvery = 90_000; $0.standby = false
            },
            Case(false, "an empty default issuer") { $0.defaultIssuer = "" },
            Case(false, "a default issuer with a space") { $0.defaultIssuer = "https://a b" },
            Case(false, "a default issuer with a line break") { $0.defaultIssuer = "https://a\n" },
            Case(false, "a default issuer outside ASCII") { $0.defaultIssuer = "https://ä.example" },
            Case(true, "a default issuer of 512 characters") { $0.defaultIssuer = String(repeating: "a", count: 512) },
            Case(false, "a default issuer of 513 characters") { $0.defaultIssuer = String(repeating: "a", count: 513) },
        ])
    func bounds(_ row: Case) {
        #expect(refusal { try row.settings.validate() } == (row.isAccepted ? nil : .policyInvalid))
        let creation = refusal {
            _ = try Issuer.creating(
                sampleName(), settings: row.settings, url: nil, firstKey: sampleKey(1, row.settings.keySpecification), at: start)
        }
        #expect(creation == (row.isAccepted ? nil : .policyInvalid))
        let update = refusal { _ = try sampleIssuer("k1 active").updating(settings: row.settings, at: start) }
        #expect(update == (row.isAccepted ? nil : .policyInvalid))
    }

    @Test(
        """
        the defaults are those of AKS: an hour, a day at most, a day of overlap; a standby key besides, and 30 s of max-age, with \
        which go-oidc v2 fetches a fresh key at once
        """)
    func defaults() {
        let settings = IssuerSettings()
        #expect(settings.lifetime == 3_600)
        #expect(settings.maximumLifetime == 86_400)
        #expect(settings.overlap == 86_400)
        #expect(settings.jwksMaxAge == 30)
        #expect(settings.notBeforeSkew == 0)
        #expect(settings.standby)
        #expect(settings.rotateEvery == nil)
        #expect(settings.algorithm == .rs256)
        #expect(settings.rsaBits == 2_048)
        #expect(settings.defaultIssuer == "https://kubernetes.default.svc.cluster.local")
    }
}
