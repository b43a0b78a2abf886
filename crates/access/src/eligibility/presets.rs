//! The vendor's tables, as they were printed at four times.

use std::sync::Arc;

use super::{CategoryRow, CategoryTable, Sub, SubjectType};
use SubjectType::{Enterprise, Government, Individual};

/// A table that was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// The first one, early in 2018: individuals as well.
    Seed,
    /// The manual's of 2018 to 2020. From here on no individuals.
    Tencent2018,
    /// The manual's of 2021 and 2022.
    Tencent2021,
    /// The platform's own, from 2022 on.
    Wechat2022,
}

impl Preset {
    /// All of them, oldest first.
    pub const ALL: [Preset; 4] =
        [Preset::Seed, Preset::Tencent2018, Preset::Tencent2021, Preset::Wechat2022];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Seed => "seed",
            Preset::Tencent2018 => "tencent-2018",
            Preset::Tencent2021 => "tencent-2021",
            Preset::Wechat2022 => "wechat-2022",
        }
    }

    /// The preset of a word.
    pub fn parse(text: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|p| p.name() == text)
    }

    /// The table.
    pub fn table(self) -> CategoryTable {
        let rows = match self {
            Preset::Seed => SEED,
            Preset::Tencent2018 => TENCENT_2018,
            Preset::Tencent2021 => TENCENT_2021,
            Preset::Wechat2022 => WECHAT_2022,
        };
        CategoryTable { rows: rows.iter().map(Row::to_row).collect() }
    }
}

/// An id, its Chinese name, its English one.
type Named = (&'static str, &'static str, &'static str);

struct Row {
    main: Named,
    subs: &'static [Named],
    subjects: &'static [SubjectType],
}

impl Row {
    fn to_row(&self) -> CategoryRow {
        let (main, zh, en) = self.main;
        let sub = |&(id, zh, en): &Named| Sub { id: id.into(), zh: zh.into(), en: en.into() };
        CategoryRow {
            main: Arc::from(main),
            main_zh: zh.into(),
            main_en: en.into(),
            subs: self.subs.iter().map(sub).collect(),
            subjects: self.subjects.to_vec(),
        }
    }
}

const fn row(main: Named, subs: &'static [Named], subjects: &'static [SubjectType]) -> Row {
    Row { main, subs, subjects }
}

const SOCIAL: Named = ("social", "社交", "Social");
const EDUCATION: Named = ("education", "教育", "Education");
const MEDICAL: Named = ("medical", "医疗", "Medical");
const GOVERNMENT: Named = ("government", "政务民生", "Government and civil service");
const FINANCE: Named = ("finance", "金融", "Finance");
const CAR: Named = ("car", "汽车", "Car");
const TOOLS: Named = ("tools", "工具", "Tools");
const IT: Named = ("it", "IT科技", "Information technology");
const REAL_ESTATE: Named = ("real-estate", "房地产", "Real estate");
const BUSINESS: Named = ("business", "商业服务", "Business services");

const LIVE: Named = ("live", "直播", "Live");
const ONLINE_EDUCATION: Named = ("online-education", "在线教育", "Online education");
const VIDEO_COURSES: Named = ("online-video-courses", "在线视频课程", "Online video courses");
const INTERNET_HOSPITAL: Named = ("internet-hospital", "互联网医院", "Internet hospital");
const PUBLIC_HOSPITAL: Named = ("public-hospital", "公立医院", "Public hospital");
const PUBLIC_MEDICAL: Named =
    ("public-medical-institution", "公立医疗机构", "Public medical institution");
const FUNDS: Named = ("funds", "基金", "Funds");
const PUBLIC_FUNDS: Named = ("public-funds", "公募基金", "Public funds");
const PRIVATE_FUNDS: Named = ("private-funds", "私募基金", "Private funds");
const TRUST: Named = ("trust", "信托", "Trust");
const INSURANCE: Named = ("insurance", "保险", "Insurance");
const BANK: Named = ("bank", "银行", "Bank");
const SECURITIES_FUTURES: Named = ("securities-futures", "证券/期货", "Securities and futures");
const SECURITIES: Named = ("securities", "证券", "Securities");
const FUTURES_ADVICE: Named = ("futures-advice", "期货投资咨询", "Futures advice");
const MICRO_LOANS: Named =
    ("micro-loans", "非金融机构自营小额贷款", "Micro-loans of others than banks");
const CREDIT_REPORTING: Named = ("credit-reporting", "征信业务", "Credit reporting");
const CONSUMER_FINANCE: Named = ("consumer-finance", "消费金融", "Consumer finance");
const NEEQ_INFO: Named = ("neeq-info", "新三板信息服务", "NEEQ information");
const STOCK_INFO_OVERSEAS: Named =
    ("stock-info-hk-us", "股票信息服务（港股/美股）", "Stock information, Hong Kong and US");
const STOCK_INFO: Named = ("stock-info", "股票信息服务", "Stock information");
const PRE_SALE: Named = ("pre-sale", "汽车预售服务", "Pre-sale");
const VIDEO_SERVICE: Named = ("video-customer-service", "视频客服", "Video customer service");
const COMMUNICATION: Named = ("multi-party-communication", "多方通信", "Multi-party communication");
const AV_DEVICES: Named = ("av-devices", "音视频设备", "Audio and video devices");

const PEOPLE: &[SubjectType] = &[Individual, Enterprise];
const EVERYONE: &[SubjectType] = &[Individual, Enterprise, Government];
const BODIES: &[SubjectType] = &[Enterprise, Government];
const FIRMS: &[SubjectType] = &[Enterprise];
const STATE: &[SubjectType] = &[Government];

/// Public hospitals and civil service are the government's too, whatever the text before the table
/// says of individuals and enterprises.
const SEED: &[Row] = &[
    row(SOCIAL, &[LIVE], PEOPLE),
    row(EDUCATION, &[ONLINE_EDUCATION], PEOPLE),
    row(MEDICAL, &[INTERNET_HOSPITAL, PUBLIC_HOSPITAL], EVERYONE),
    row(GOVERNMENT, &[], EVERYONE),
    row(
        FINANCE,
        &[
            FUNDS,
            TRUST,
            INSURANCE,
            BANK,
            SECURITIES_FUTURES,
            MICRO_LOANS,
            CREDIT_REPORTING,
            CONSUMER_FINANCE,
        ],
        PEOPLE,
    ),
];

const TENCENT_2018: &[Row] = &[
    row(SOCIAL, &[LIVE], FIRMS),
    row(EDUCATION, &[VIDEO_COURSES], FIRMS),
    row(MEDICAL, &[INTERNET_HOSPITAL, PUBLIC_HOSPITAL], BODIES),
    row(GOVERNMENT, &[], STATE),
    row(
        FINANCE,
        &[
            BANK,
            TRUST,
            FUNDS,
            SECURITIES_FUTURES,
            SECURITIES,
            FUTURES_ADVICE,
            INSURANCE,
            CREDIT_REPORTING,
            NEEQ_INFO,
            STOCK_INFO_OVERSEAS,
            CONSUMER_FINANCE,
        ],
        FIRMS,
    ),
    row(CAR, &[PRE_SALE], FIRMS),
    row(TOOLS, &[VIDEO_SERVICE], FIRMS),
    row(IT, &[COMMUNICATION, AV_DEVICES], FIRMS),
];

const TENCENT_2021: &[Row] = &[
    row(SOCIAL, &[LIVE], FIRMS),
    row(EDUCATION, &[VIDEO_COURSES], FIRMS),
    row(MEDICAL, &[INTERNET_HOSPITAL, PUBLIC_MEDICAL], BODIES),
    row(GOVERNMENT, &[], STATE),
    row(
        FINANCE,
        &[
            BANK,
            TRUST,
            PUBLIC_FUNDS,
            PRIVATE_FUNDS,
            SECURITIES_FUTURES,
            SECURITIES,
            FUTURES_ADVICE,
            INSURANCE,
            CREDIT_REPORTING,
            NEEQ_INFO,
            STOCK_INFO_OVERSEAS,
            CONSUMER_FINANCE,
        ],
        FIRMS,
    ),
    row(CAR, &[PRE_SALE], FIRMS),
    row(TOOLS, &[VIDEO_SERVICE], FIRMS),
];

const WECHAT_2022: &[Row] = &[
    row(SOCIAL, &[LIVE], FIRMS),
    row(EDUCATION, &[VIDEO_COURSES], FIRMS),
    row(
        MEDICAL,
        &[
            INTERNET_HOSPITAL,
            PUBLIC_MEDICAL,
            ("private-tertiary", "三级私立医疗机构", "Private medical institution, tertiary"),
            ("private-other", "其他私立医疗机构", "Private medical institution, other"),
        ],
        BODIES,
    ),
    row(GOVERNMENT, &[], STATE),
    row(
        FINANCE,
        &[
            BANK,
            TRUST,
            PUBLIC_FUNDS,
            PRIVATE_FUNDS,
            SECURITIES_FUTURES,
            SECURITIES,
            FUTURES_ADVICE,
            INSURANCE,
            CREDIT_REPORTING,
            NEEQ_INFO,
            STOCK_INFO,
            STOCK_INFO_OVERSEAS,
            CONSUMER_FINANCE,
            ("financing-guarantee", "融资担保", "Financing guarantee"),
            ("auto-finance", "汽车金融/金融租赁", "Auto finance and leasing"),
            ("enterprise-credit", "企业征信", "Enterprise credit"),
        ],
        FIRMS,
    ),
    row(CAR, &[PRE_SALE], FIRMS),
    row(IT, &[COMMUNICATION, AV_DEVICES], FIRMS),
    row(REAL_ESTATE, &[("marketing", "房地产营销", "Marketing")], FIRMS),
    row(BUSINESS, &[("notary", "公证", "Notary")], BODIES),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eligibility::is_slug;

    #[test]
    fn ids_are_ids_and_stand_once() {
        for preset in Preset::ALL {
            assert_eq!(Preset::parse(preset.name()), Some(preset));
            let rows = preset.table().rows;
            for (i, row) in rows.iter().enumerate() {
                assert!(is_slug(&row.main) && !row.subjects.is_empty(), "{row:?}");
                assert!(rows[..i].iter().all(|r| r.main != row.main), "{}", row.main);
                for (n, sub) in row.subs.iter().enumerate() {
                    assert!(is_slug(&sub.id), "{sub:?}");
                    assert!(row.subs[..n].iter().all(|s| s.id != sub.id), "{sub:?}");
                }
            }
        }
    }
}
