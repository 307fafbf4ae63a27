/// A key and a JWT made with `openssl` alone: `genrsa`, `pkey -pubout`, `dgst -sha256 -sign`.
enum OpenSSLFixture {
    static let keySet =
        #"{"keys":[{"use":"sig","kty":"RSA","kid":"MhEn25LzZvW1TWegz4UOKE_-7rMDfmzpdRqguI082Jo","alg":"RS256","n":""#
        + #"riHP1l9xqtAteEPZN_pwskCnRsV3ZCMIX7-fUcCp8qwETZqSvTUBMHkR7Waq7tzsFQLNLBBWxbuMbWqrMMu8cGICtr5AVFoDTpR981Bsp"#
        + #"rC9uhv4zzSFYLRpYhcRCvBNst6E-Ojja7KMbhi5OI7aic0fETtqM2J-y5-l1EGPEE2k6PNdJnQvCDAOt7luak6vNJZmpYAiNjoHrJpEWB"#
        + #"AizF4IdSaHkR0fnnPb7MNohTjeW5eLeGAiT3sA1aqjmjnryG9awMatIulWein2qVPloNIkK2yRMRbXUsAjcwUAPn_KaaVQFLBO7qUHd0o"#
        + #"UX6tfG4nCDoYt_ezzFmpc7KQyXw","e":"AQAB"}]}"#

    static let jwt =
        #"eyJhbGciOiJSUzI1NiIsImtpZCI6Ik1oRW4yNUx6WnZXMVRXZWd6NFVPS0VfLTdyTURmbXpwZFJxZ3VJMDgySm8iLCJ0eXAiOiJKV1Qif"#
        + #"Q.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlL3QvdS8iLCJzdWIiOiJzIiwiYXVkIjpbImEiLCJiIl0sImV4cCI6MjAwMDAwMzY"#
        + #"wMCwibmJmIjoyMDAwMDAwMDAwLCJpYXQiOjIwMDAwMDAwMDB9.DVgmdBjNvhHOFWL8UGqJQcsIDtE1WKMe-UCt4pJviTGYaBkgoKBRGwt"#
        + #"oaavkgdov03AHWKq2z-hRshzRRSzwxwQh-uZHNplwxuUI8T44S4p-6VjofncKlReunuAB0ydyV8hzu6syvwgQdZ6528iUbmQFevBMH4Wp"#
        + #"RQb0D75kHQiJTfb-302Ho8yW7TnB0VFoEfTWSa8kQSf2s2Lqb0qycLYR6Hw_qK1zQAZz1tkDXI98z0DzhkZCk3io7aBoZu0W_kJGQ3Gp7"#
        + #"ZU1ZFHzl4N2O06fwhgQT3xZErefUNKbEbzLA0vBUYK2ad5ECtCmZuorVEL-HlJYbanJnWk7smRIBA"#
}
