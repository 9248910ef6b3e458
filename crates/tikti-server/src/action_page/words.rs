//! What the pages of mailed links say, in each language.
//!
//! Spec: HTTP API, "Identity", `/action`.

use tikti_domain::error::Code;
use tikti_domain::mail::Language;
use tikti_domain::oob_code::OobType;

/// Title, sentence and button of the page that asks.
type Ask = (&'static str, &'static str, &'static str);

/// The sentences of one language.
pub(super) struct Words {
    reset: Ask,
    sign_in: Ask,
    verify: Ask,
    change: Ask,
    recover: Ask,
    pub(super) password: &'static str,
    pub(super) password_rule: &'static str,
    pub(super) type_the_code: &'static str,
    pub(super) go_on: &'static str,
    pub(super) done_title: &'static str,
    reset_done: &'static str,
    verify_done: &'static str,
    change_done: &'static str,
    recover_done: &'static str,
    pub(super) refused_title: &'static str,
    bad_code: &'static str,
    weak_password: &'static str,
    long_password: &'static str,
    email_exists: &'static str,
    foreign_form: &'static str,
    bad_link: &'static str,
    too_many: &'static str,
    broken: &'static str,
}

const ENGLISH: Words = Words {
    reset: ("Set a new password", "Choose a new password for this account:", "Set password"),
    sign_in: ("Sign in", "You are signing in to this account:", "Continue"),
    verify: ("Confirm your address", "Is this your e-mail address?", "Confirm"),
    change: (
        "Confirm your new address",
        "This address will replace the one of your account:",
        "Confirm",
    ),
    recover: (
        "Get your address back",
        "The address of your account was changed. If that was not you, bring this one back:",
        "Bring it back",
    ),
    password: "New password",
    password_rule: "At least 8 characters.",
    type_the_code: "Type this code where you are signing in:",
    go_on: "Continue",
    done_title: "Done",
    reset_done: "The password was set. You are signed out everywhere; sign in with the new one.",
    verify_done: "Your address is confirmed.",
    change_done: "Your account has the new address. Sign in with it from now on.",
    recover_done: "Your account has this address again. Everybody is signed out, and the old \
                   password is gone: choose a new one by the link of the mail that was sent here.",
    refused_title: "This did not work",
    bad_code: "The link is not valid any more: it was used, has expired or is not complete. Ask for \
               a new one.",
    weak_password: "This password is too short or too easy to guess. Choose another one.",
    long_password: "This password is longer than 72 bytes. Choose a shorter one.",
    email_exists: "This address belongs to another account.",
    foreign_form: "The form was sent from another site. Open the link of the mail.",
    bad_link: "The link is not complete. Open it as it stands in the mail.",
    too_many: "There were too many requests. Wait a moment and try again.",
    broken: "Something broke. Try again in a moment.",
};

const PORTUGUESE: Words = Words {
    reset: ("Definir nova senha", "Escolha uma nova senha para esta conta:", "Definir senha"),
    sign_in: ("Entrar", "Você está entrando nesta conta:", "Continuar"),
    verify: ("Confirmar endereço", "Este é o seu endereço de e-mail?", "Confirmar"),
    change: (
        "Confirmar novo endereço",
        "Este endereço vai substituir o da sua conta:",
        "Confirmar",
    ),
    recover: (
        "Recuperar endereço",
        "O endereço da sua conta foi alterado. Se não foi você, recupere este:",
        "Recuperar",
    ),
    password: "Nova senha",
    password_rule: "Pelo menos 8 caracteres.",
    type_the_code: "Digite este código onde você está entrando:",
    go_on: "Continuar",
    done_title: "Pronto",
    reset_done: "A senha foi definida. Todas as sessões foram encerradas; entre com a nova senha.",
    verify_done: "Seu endereço está confirmado.",
    change_done: "Sua conta tem o novo endereço. Entre com ele a partir de agora.",
    recover_done: "Sua conta tem este endereço outra vez. Todas as sessões foram encerradas e a \
                   senha antiga não vale mais: escolha uma nova pelo link do e-mail enviado para cá.",
    refused_title: "Não funcionou",
    bad_code: "O link não é mais válido: já foi usado, expirou ou está incompleto. Peça um novo.",
    weak_password: "Esta senha é curta demais ou fácil de adivinhar. Escolha outra.",
    long_password: "Esta senha tem mais de 72 bytes. Escolha uma mais curta.",
    email_exists: "Este endereço pertence a outra conta.",
    foreign_form: "O formulário foi enviado de outro site. Abra o link do e-mail.",
    bad_link: "O link está incompleto. Abra-o como está no e-mail.",
    too_many: "Houve pedidos demais. Espere um momento e tente de novo.",
    broken: "Algo falhou. Tente de novo em um momento.",
};

/// The language's tag (RFC 5646).
pub(super) fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Portuguese => "pt-BR",
    }
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Portuguese => &PORTUGUESE,
        }
    }

    /// Title, sentence and button of the page that asks.
    pub(super) fn task(&self, kind: OobType) -> Ask {
        match kind {
            OobType::PasswordReset => self.reset,
            OobType::EmailSignIn => self.sign_in,
            OobType::VerifyEmail => self.verify,
            OobType::VerifyAndChangeEmail => self.change,
            OobType::RecoverEmail => self.recover,
        }
    }

    /// What is said when it is done.
    pub(super) fn done(&self, kind: OobType) -> &'static str {
        match kind {
            OobType::PasswordReset => self.reset_done,
            OobType::EmailSignIn | OobType::VerifyEmail => self.verify_done,
            OobType::VerifyAndChangeEmail => self.change_done,
            OobType::RecoverEmail => self.recover_done,
        }
    }

    /// What is said of a refusal. A person can do little with most codes.
    pub(super) fn refusal(&self, code: Code) -> &'static str {
        match code {
            Code::InvalidOobCode => self.bad_code,
            Code::WeakPassword => self.weak_password,
            Code::PasswordTooLong => self.long_password,
            Code::EmailExists => self.email_exists,
            Code::PermissionDenied => self.foreign_form,
            Code::InvalidArgument | Code::UnsupportedMediaType | Code::BodyTooLarge => {
                self.bad_link
            }
            Code::RateLimited | Code::Overloaded => self.too_many,
            _ => self.broken,
        }
    }
}
