{% extends 'common_group.cpp' %}
{% block extra_headers %}
#include <algorithm>
{% endblock %}

{% block maincode %}
    std::fill_n({{get_array_name(variables[target])}} + {{start}}, {{size}}, 0);
{% endblock %}
